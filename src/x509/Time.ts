/**
 * The times of certificates, RFC 5280 section 4.1.2.5: whole seconds since the epoch.
 *
 * @since 0.1.0
 */
import { toLatin1 } from "../wire/Bytes.ts"
import { Malformed } from "../wire/Reader.ts"
import { type Der, Tag } from "./Der.ts"

/** Days since 1970-01-01 of a day of the Gregorian calendar; months count from 1. */
const daysOf = (year: number, month: number, day: number): number => {
  // The year begins in March here, so that the leap day is its last.
  const march = month > 2 ? year : year - 1
  const days = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  return 365 * march + Math.floor(march / 4) - Math.floor(march / 100) + Math.floor(march / 400) + days - 719_468
}

const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
const daysIn = (year: number, month: number): number =>
  month === 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31

const secondsOf = (text: string, yearDigits: 2 | 4, field: string): number => {
  if (text.length !== yearDigits + 11 || !/^\d+Z$/.test(text)) {
    throw new Malformed(field, `is no time: ${JSON.stringify(text.slice(0, 32))}`)
  }
  const number = (at: number, length = 2) => Number(text.slice(at, at + length))
  const written = number(0, yearDigits)
  // RFC 5280 section 4.1.2.5.1: 50 to 99 are of the last century.
  const year = yearDigits === 4 ? written : written >= 50 ? 1900 + written : 2000 + written
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = [0, 2, 4, 6, 8].map((at) => number(yearDigits + at))
  if (
    month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59
  ) {
    throw new Malformed(field, `is no time: ${JSON.stringify(text)}`)
  }
  return daysOf(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
}

/**
 * `YYYYMMDDHHMMSSZ`, without a fraction.
 *
 * @category decoding
 * @since 0.1.0
 */
export const generalizedTime = (der: Der, field: string): number =>
  secondsOf(toLatin1(der.content(Tag.generalizedTime, field)), 4, field)

/**
 * UTCTime (`YYMMDDHHMMSSZ`) or GeneralizedTime: RFC 5280 wants both read, whatever the year.
 *
 * @category decoding
 * @since 0.1.0
 */
export const time = (der: Der, field: string): number =>
  der.tag === Tag.utcTime
    ? secondsOf(toLatin1(der.content(Tag.utcTime, field)), 2, field)
    : generalizedTime(der, field)

const two = (value: number): string => String(value).padStart(2, "0")

/**
 * A time in the form of ISO 8601, such as `2026-01-31T23:59:59Z`.
 *
 * @category formatting
 * @since 0.1.0
 */
export const formatTime = (seconds: number): string => {
  const days = Math.floor(seconds / 86_400)
  const rest = seconds - days * 86_400
  // The estimate is at most one year off.
  let year = 1970 + Math.floor(days / 365.2425)
  while (daysOf(year, 1, 1) > days) year--
  while (daysOf(year + 1, 1, 1) <= days) year++
  let month = 12
  while (daysOf(year, month, 1) > days) month--
  const day = days - daysOf(year, month, 1) + 1
  const clock = [rest / 3600, rest / 60 % 60, rest % 60].map((part) => two(Math.floor(part))).join(":")
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}T${clock}Z`
}
