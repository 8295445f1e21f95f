/** Certificates, lists and responses made by the `openssl` command, and its own judgement of them. */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export type Kind = "P-256" | "P-384" | "RSA-2048" | "RSA-1024" | "Ed25519"

const algorithms: Readonly<Record<Kind, ReadonlyArray<string>>> = {
  "P-256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
  "P-384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
  "RSA-2048": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
  "RSA-1024": ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
  Ed25519: ["ED25519"]
}

export interface Order {
  readonly name: string
  /** Lines of a section of extensions. */
  readonly extensions: ReadonlyArray<string>
  /** The name of an earlier one; itself where there is none. */
  readonly issuer?: string
  readonly kind?: Kind
  readonly hash?: string
  /** `-sigopt` of its signature. */
  readonly signature?: ReadonlyArray<string>
  readonly from?: string
  readonly to?: string
}

const config = `
[ca]
default_ca = d
[d]
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
default_md = sha256
default_crl_days = 30
policy = p
unique_subject = no
[p]
commonName = supplied
[req]
distinguished_name = dn
[dn]
`

export const authority = ["basicConstraints = critical,CA:TRUE", "keyUsage = critical,keyCertSign,cRLSign"]

/** A folder in which the command works; `close` removes it. */
export class OpenSslCa {
  readonly #folder = mkdtempSync(join(tmpdir(), "effect-tls-x509-"))

  constructor() {
    mkdirSync(this.#folder, { recursive: true })
    this.#write("ca.cnf", config)
    this.#write("index.txt", "")
    this.#write("serial", "1000")
    this.#write("crlnumber", "01")
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #write(file: string, text: string): void {
    writeFileSync(join(this.#folder, file), text)
  }

  #run(...parts: ReadonlyArray<string | ReadonlyArray<string>>): string {
    return execFileSync("openssl", parts.flat(), { cwd: this.#folder, encoding: "utf8", stdio: "pipe" })
  }

  /** Makes key and certificate; gives the certificate. */
  issue(order: Order): Uint8Array {
    const {
      extensions,
      from = "20200101000000Z",
      hash = "sha256",
      issuer,
      kind = "P-256",
      name,
      to = "20400101000000Z"
    } = order
    this.#run("genpkey", "-algorithm", algorithms[kind], "-out", `${name}.key`)
    this.#run("req", "-new", "-config", "ca.cnf", "-subj", `/CN=${name}`, "-key", `${name}.key`, "-out", `${name}.csr`)
    this.#write(`${name}.ext`, `[x]\n${extensions.join("\n")}\n`)
    const signer = issuer === undefined
      ? ["-selfsign", "-keyfile", `${name}.key`]
      : ["-cert", `${issuer}.pem`, "-keyfile", `${issuer}.key`]
    const algorithm = order.kind === "Ed25519" && issuer === undefined ? "default" : hash
    this.#run(
      ["ca", "-batch", "-notext", "-config", "ca.cnf", "-extfile", `${name}.ext`, "-extensions", "x"],
      ["-in", `${name}.csr`, "-out", `${name}.pem`, "-startdate", from, "-enddate", to, "-md", algorithm],
      signer,
      (order.signature ?? []).flatMap((option) => ["-sigopt", option])
    )
    return this.der(name)
  }

  der(name: string): Uint8Array {
    const text = readFileSync(join(this.#folder, `${name}.pem`), "utf8")
    return new Uint8Array(Buffer.from(text.replaceAll(/-----[^-]+-----/g, ""), "base64"))
  }

  revoke(name: string, issuer: string): void {
    this.#run(
      "ca",
      "-config",
      "ca.cnf",
      "-cert",
      `${issuer}.pem`,
      "-keyfile",
      `${issuer}.key`,
      "-revoke",
      `${name}.pem`
    )
  }

  /** The list of an issuer, also as a file `NAME.crl`. */
  list(issuer: string): Uint8Array {
    this.#run(
      ["ca", "-config", "ca.cnf", "-cert", `${issuer}.pem`, "-keyfile", `${issuer}.key`, "-gencrl"],
      ["-out", `${issuer}.crl`]
    )
    this.#run("crl", "-in", `${issuer}.crl`, "-outform", "DER", "-out", `${issuer}.crl.der`)
    return new Uint8Array(readFileSync(join(this.#folder, `${issuer}.crl.der`)))
  }

  /** What the responder of the issuer says about a certificate: signed by `signer`, good for `days`. */
  answer(name: string, issuer: string, signer = issuer, days = 7): Uint8Array {
    this.#run("ocsp", "-issuer", `${issuer}.pem`, "-cert", `${name}.pem`, "-no_nonce", "-reqout", "request.der")
    this.#run(
      ["ocsp", "-index", "index.txt", "-CA", `${issuer}.pem`, "-rsigner", `${signer}.pem`, "-rkey", `${signer}.key`],
      ["-reqin", "request.der", "-respout", `${name}.ocsp`, "-ndays", String(days)]
    )
    return new Uint8Array(readFileSync(join(this.#folder, `${name}.ocsp`)))
  }

  /** Whether `openssl verify` accepts the leaf, with intermediates and options. */
  verifies(
    name: string,
    given: {
      readonly trusted: ReadonlyArray<string>
      readonly untrusted?: ReadonlyArray<string>
      readonly options?: ReadonlyArray<string>
    }
  ): boolean {
    const trusted = given.trusted.flatMap((file) => ["-trusted", `${file}.pem`])
    const untrusted = (given.untrusted ?? []).flatMap((file) => ["-untrusted", `${file}.pem`])
    try {
      // Level 2 asks for 112 bits, as we do.
      this.#run(
        "verify",
        "-auth_level",
        "2",
        "-partial_chain",
        trusted,
        untrusted,
        given.options ?? [],
        `${name}.pem`
      )
      return true
    } catch {
      return false
    }
  }

  /** Whether `openssl ocsp` finds the certificate good in the response to it. */
  findsGood(name: string, issuer: string, trusted: string): boolean {
    const args = ["ocsp", "-issuer", `${issuer}.pem`, "-cert", `${name}.pem`, "-respin", `${name}.ocsp`, "-no_nonce"]
    try {
      const text = this.#run(args, "-CAfile", `${trusted}.pem`, "-partial_chain")
      return text.includes(`${name}.pem: good`)
    } catch {
      return false
    }
  }
}
