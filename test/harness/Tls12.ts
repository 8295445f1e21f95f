import { TlsTest } from "effect-tls"

const pinned = (options: TlsTest.Options = {}): TlsTest.Options => ({
  ...options,
  client: { versions: ["1.2"], ...options.client },
  server: { versions: ["1.2"], ...options.server }
})

/** `TlsTest.pair` over TLS 1.2. */
export const pair = (options?: TlsTest.Options) => TlsTest.pair(pinned(options))

/** `TlsTest.ends` over TLS 1.2. */
export const ends = (options?: TlsTest.Options) => TlsTest.ends(pinned(options))
