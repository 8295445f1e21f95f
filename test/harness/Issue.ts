import "./ReflectMetadata.ts"
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator
} from "@peculiar/x509"
import type { webcrypto } from "node:crypto"

export type KeyType = "P-256" | "P-384" | "P-521" | "RSA-2048" | "Ed25519"

export interface Validity {
  readonly notBefore: Date
  readonly notAfter: Date
}

/** A certificate with its private key: what can sign others, or prove itself. */
export interface Issued {
  readonly certificate: X509Certificate
  readonly keys: webcrypto.CryptoKeyPair
}

export interface Subject extends Validity {
  readonly commonName: string
  readonly key: KeyType
}

export interface LeafSubject extends Subject {
  readonly usage: "serverAuth" | "clientAuth"
  readonly subjectAltName: JsonGeneralNames
}

const serverAuth = "1.3.6.1.5.5.7.3.1"
const clientAuth = "1.3.6.1.5.5.7.3.2"

const usages: ReadonlyArray<webcrypto.KeyUsage> = ["sign", "verify"]

const generateKeys = async (key: KeyType): Promise<webcrypto.CryptoKeyPair> => {
  switch (key) {
    case "RSA-2048":
      return crypto.subtle.generateKey(
        { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) },
        true,
        usages
      )
    case "Ed25519":
      // The name is all there is to it; the types want a curve.
      return crypto.subtle.generateKey({ name: "Ed25519", namedCurve: "Ed25519" }, true, usages)
    default:
      return crypto.subtle.generateKey({ name: "ECDSA", namedCurve: key }, true, usages)
  }
}

/** Signed by `issuer`, or by itself. */
const issue = async (
  subject: Subject,
  issuer: Issued | undefined,
  extensions: ReadonlyArray<Extension>
): Promise<Issued> => {
  const keys = await generateKeys(subject.key)
  const signer = issuer?.keys ?? keys
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${subject.commonName}`,
    issuer: issuer?.certificate.subject ?? `CN=${subject.commonName}`,
    notBefore: subject.notBefore,
    notAfter: subject.notAfter,
    publicKey: keys.publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm: { name: signer.privateKey.algorithm.name, hash: "SHA-256" },
    extensions: [
      ...extensions,
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(signer.publicKey)
    ]
  })
  return { certificate, keys }
}

/** An authority: a root, or an intermediate when it has an issuer. */
export const issueAuthority = (subject: Subject, issuer?: Issued): Promise<Issued> =>
  issue(subject, issuer, [
    issuer === undefined
      ? new BasicConstraintsExtension(true, undefined, true)
      : new BasicConstraintsExtension(true, 0, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true)
  ])

/** An end-entity certificate, self-signed without an issuer. */
export const issueLeaf = (subject: LeafSubject, issuer?: Issued): Promise<Issued> =>
  issue(subject, issuer, [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(
      subject.key === "RSA-2048"
        ? KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment
        : KeyUsageFlags.digitalSignature,
      true
    ),
    new ExtendedKeyUsageExtension([subject.usage === "serverAuth" ? serverAuth : clientAuth]),
    new SubjectAlternativeNameExtension(subject.subjectAltName)
  ])

export const certificateDer = (issued: Issued): Uint8Array => new Uint8Array(issued.certificate.rawData)

export const certificatePem = (issued: Issued): string => `${issued.certificate.toString("pem")}\n`

/** PKCS #8 */
export const privateKeyPem = async (issued: Issued): Promise<string> =>
  `${PemConverter.encode(await crypto.subtle.exportKey("pkcs8", issued.keys.privateKey), "PRIVATE KEY")}\n`
