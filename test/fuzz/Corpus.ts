/** The inputs that a folder of corpora holds, and what each of them is for. */
import { readdirSync, readFileSync } from "node:fs"
import { basename, extname, join, relative } from "node:path"
import * as Schema from "effect/Schema"
import { HandshakeType } from "../../src/wire/CodePoints.ts"
import { type Version, withProtection } from "./Permissive.ts"
import { afterHellosTo, streamsTo, type Target } from "./Targets.ts"

/** One file of a corpus, as it is kept: a line of a .jsonl file, or a file of its own. */
export const Row = Schema.Struct({
  name: Schema.String,
  b64: Schema.String,
  /** The configuration that the files of BoringSSL begin with, and where the data begins. */
  tags: Schema.optionalKey(Schema.Array(Schema.String)),
  dataOffset: Schema.optionalKey(Schema.Int)
})
export type Row = typeof Row.Type

export interface Input {
  readonly corpus: string
  readonly row: Row
  readonly target: Target
  readonly bytes: Uint8Array
}

type Use = (row: Row, bytes: Uint8Array) => ReadonlyArray<{ readonly target: Target; readonly bytes: Uint8Array }>

const to = (...targets: ReadonlyArray<Target>): Use => (_row, bytes) => targets.map((target) => ({ target, bytes }))

const from = (offset: number, use: Use): Use => (row, bytes) => use(row, bytes.subarray(offset))

const records: Target = { _tag: "Records" }

const stream = (...roles: ReadonlyArray<"client" | "server">): Use =>
  to(records, ...streamsTo(...roles), ...afterHellosTo(...roles))

/** BoringSSL in its fuzzer mode does not protect records: the stream is given the form that protected ones have. */
const boringssl = (role: "client" | "server", isFuzzerMode: boolean): Use => (row, file) => {
  const bytes = file.subarray(row.dataOffset ?? 0)
  const clientCertificate = row.tags?.includes("request_client_cert") ?? false
  const permitted = (version: Version) => isFuzzerMode ? withProtection(version, bytes) : bytes
  return [
    { target: records, bytes },
    ...streamsTo(role).map((target) => ({
      target: { ...target, clientCertificate },
      bytes: target.mode === "permissive" ? permitted(target.version) : bytes
    })),
    ...afterHellosTo(role).map((target) => ({ target, bytes: permitted(target.version) }))
  ]
}

/** s2n takes its settings from the first byte of most files, where the others begin at once: both readings are tried. */
const s2n = (target: Target): Use => (_row, bytes) => [{ target, bytes }, { target, bytes: bytes.subarray(1) }]

const message = (type: number): Target => ({ _tag: "Message", type })

/** By the name of the file, its ending left out. */
const uses: Readonly<Record<string, Use>> = {
  // BoringSSL
  client_corpus: boringssl("client", true),
  server_corpus: boringssl("server", true),
  client_no_fuzzer_mode_corpus: boringssl("client", false),
  server_no_fuzzer_mode_corpus: boringssl("server", false),
  decode_client_hello_inner_corpus: to(message(HandshakeType.client_hello)),
  cert_corpus: to({ _tag: "Certificate" }),
  // OpenSSL
  client: stream("client"),
  server: stream("server"),
  // rustls: the files of two fuzzers begin with a byte that selects what is done with the rest
  "fuzz-client": stream("client"),
  "fuzz-server": from(1, stream("server")),
  "fuzz-unbuffered": from(1, stream("client", "server")),
  "fuzz-message": stream("client", "server"),
  // s2n
  s2n_client_fuzz_test: stream("client"),
  s2n_server_fuzz_test: stream("server"),
  s2n_client_hello_recv_fuzz_test: s2n(message(HandshakeType.client_hello)),
  s2n_select_server_cert_test: s2n(message(HandshakeType.client_hello)),
  s2n_server_hello_recv_test: s2n(message(HandshakeType.server_hello)),
  s2n_encrypted_extensions_recv_test: s2n(message(HandshakeType.encrypted_extensions)),
  s2n_server_cert_recv_test: s2n(message(HandshakeType.certificate)),
  s2n_client_cert_recv_test: s2n(message(HandshakeType.certificate)),
  s2n_server_key_recv_fuzz_test: s2n(message(HandshakeType.server_key_exchange)),
  s2n_cert_req_recv_test: s2n(message(HandshakeType.certificate_request)),
  s2n_client_cert_req_recv_test: s2n(message(HandshakeType.certificate_request)),
  s2n_tls13_cert_req_recv_test: s2n(message(HandshakeType.certificate_request)),
  s2n_client_cert_verify_recv_test: s2n(message(HandshakeType.certificate_verify)),
  s2n_tls13_cert_verify_recv_test: s2n(message(HandshakeType.certificate_verify)),
  s2n_client_key_recv_fuzz_test: s2n(message(HandshakeType.client_key_exchange)),
  s2n_client_finished_recv_test: s2n(message(HandshakeType.finished)),
  s2n_server_finished_recv_test: s2n(message(HandshakeType.finished)),
  s2n_tls13_client_finished_recv_test: s2n(message(HandshakeType.finished)),
  s2n_tls13_server_finished_recv_test: s2n(message(HandshakeType.finished)),
  s2n_client_ccs_recv_test: s2n({ _tag: "ChangeCipherSpec" }),
  s2n_server_ccs_recv_test: s2n({ _tag: "ChangeCipherSpec" }),
  s2n_server_extensions_recv_test: s2n({ _tag: "ServerExtensions" }),
  s2n_certificate_extensions_parse_test: s2n({ _tag: "ServerExtensions" }),
  s2n_recv_client_supported_groups_test: s2n({ _tag: "Extension", type: 10, hello: "ClientHello" }),
  s2n_extensions_client_supported_versions_recv_test: s2n({ _tag: "Extension", type: 43, hello: "ClientHello" }),
  s2n_extensions_client_key_share_recv_test: s2n({ _tag: "Extension", type: 51, hello: "ClientHello" }),
  s2n_extensions_server_supported_versions_recv_test: s2n({ _tag: "Extension", type: 43, hello: "ServerHello" }),
  s2n_extensions_server_key_share_recv_test: s2n({ _tag: "Extension", type: 51, hello: "ServerHello" })
}

const byEnding: Readonly<Record<string, Use>> = {
  ".bin": stream("client", "server"),
  ".der": to({ _tag: "Certificate" }),
  ".cert": to({ _tag: "Pem", label: "CERTIFICATE" }),
  ".chain": to({ _tag: "Pem", label: "CERTIFICATE" }),
  ".fullchain": to({ _tag: "Pem", label: "CERTIFICATE" }),
  ".key": to({ _tag: "Pem", label: "PRIVATE KEY" }),
  // Certificate lists and bare public keys: what has no certificate in it must be refused.
  ".pem": to({ _tag: "Pem", label: "CERTIFICATE" })
}

/** Why files with these endings are passed over. */
const passedOver: Readonly<Record<string, string>> = {
  ".md": "text about the corpus",
  ".json": "an index, or vectors with expected results, which tests of their own read",
  ".pcap": "a capture of a conversation that went well, in IP packets",
  ".txt": "vectors for CBC, which is refused on purpose",
  ".jsonl": "a kind that is not known here"
}

export const parseLines = (text: string): ReadonlyArray<unknown> =>
  text.split("\n").filter((line) => line !== "").map((line): unknown => JSON.parse(line))

const decodeRow = Schema.decodeUnknownSync(Row)

/** What a row of a corpus is for. */
export const inputsOf = (corpus: string, row: Row): ReadonlyArray<Input> => {
  const ending = extname(corpus)
  const use = ending === ".jsonl" ? uses[basename(corpus, ending)] : byEnding[ending]
  if (use === undefined) return []
  const bytes = new Uint8Array(Buffer.from(row.b64, "base64"))
  return use(row, bytes).map(({ bytes, target }) => ({ corpus, row, target, bytes }))
}

export interface Folder {
  readonly inputs: ReadonlyArray<Input>
  readonly passedOver: ReadonlyArray<{ readonly file: string; readonly why: string }>
}

/** Walks a folder; of each corpus, no more than `max` rows. */
export const readFolder = (folder: string, max: number): Folder => {
  const inputs: Array<Input> = []
  const skipped: Array<Folder["passedOver"][number]> = []
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort()
  const perKind = new Map<string, number>()
  for (const file of files) {
    const ending = extname(file)
    const path = join(folder, file)
    if (ending === ".jsonl" && uses[basename(file, ending)] !== undefined) {
      const rows = parseLines(readFileSync(path, "utf8")).slice(0, max)
      for (const row of rows) inputs.push(...inputsOf(file, decodeRow(row)))
    } else if (byEnding[ending] !== undefined) {
      // Single files of one kind are a corpus together.
      const count = perKind.get(ending) ?? 0
      perKind.set(ending, count + 1)
      if (count < max) inputs.push(...inputsOf(`*${ending}`, { name: file, b64: readFileSync(path, "base64") }))
    } else skipped.push({ file, why: passedOver[ending] ?? "a kind that is not known here" })
  }
  return { inputs, passedOver: skipped }
}
