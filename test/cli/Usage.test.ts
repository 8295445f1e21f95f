import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { HarnessError } from "../harness/HarnessError.ts"
import { pkiFiles } from "../harness/PkiFiles.ts"
import { rawServer } from "../harness/RawTcp.ts"
import { runToEnd } from "./Command.ts"

/** Files to be wrong about; `port` is in use. */
interface Place {
  readonly cert: string
  readonly key: string
  readonly otherKey: string
  readonly ca: string
  readonly text: string
  readonly missing: string
  readonly directory: string
  readonly port: string
}

const place: Effect.Effect<Place, HarnessError, Scope.Scope> = Effect.gen(function*() {
  const files = yield* pkiFiles("ec", "client")
  const text = join(files.directory, "text")
  yield* Effect.promise(() => writeFile(text, "hello"))
  return {
    cert: files.of("ec").cert,
    key: files.of("ec").key,
    otherKey: files.of("client").key,
    ca: files.ca,
    text,
    missing: join(files.directory, "missing"),
    directory: files.directory,
    port: String((yield* rawServer).port)
  }
})

type Case = readonly [name: string, args: (place: Place) => ReadonlyArray<string>, code: number, sentence: RegExp]

const serve = ({ cert, key }: Place, ...more: ReadonlyArray<string>) => [
  "serve",
  "--host",
  "127.0.0.1",
  "--cert",
  cert,
  "--key",
  key,
  ...more
]

const cases: ReadonlyArray<Case> = [
  ["no command", () => [], 2, /^DESCRIPTION\n/],
  ["an unknown command", () => ["serv"], 2, /Unknown subcommand "serv".*Did you mean serve\?/],
  ["an unknown option", (_) => serve(_, "--prt", "1"), 2, /Unrecognized flag: --prt.*Did you mean --port\?/],
  ["no port", (_) => serve(_), 2, /Missing required flag: --port/],
  ["no key", (_) => ["serve", "--port", "0", "--cert", _.cert], 2, /Missing required flag: --key/],
  ["a port out of range", (_) => serve(_, "--port", "65536"), 2, /"65536". Expected: a port from 0 to 65535/],
  ["a port below range", (_) => serve(_, "--port=-1"), 2, /Expected: a port from 0 to 65535/],
  ["a port that is no number", (_) => serve(_, "--port", "http"), 2, /flag --port: "http"/],
  [
    "--client-auth alone",
    (_) => serve(_, "--port", "0", "--client-auth", "require"),
    2,
    /--client-ca and --client-auth go together/
  ],
  ["--client-ca alone", (_) => serve(_, "--port", "0", "--client-ca", _.ca), 2, /--client-ca and --client-auth go/],
  [
    "an unknown --client-auth",
    (_) => serve(_, "--port", "0", "--client-ca", _.ca, "--client-auth", "always"),
    2,
    /flag --client-auth: "always"/
  ],
  ["a version that is not spoken", (_) => serve(_, "--port", "0", "--tls", "1.1"), 2, /flag --tls: "1.1"/],
  ["an empty protocol", (_) => serve(_, "--port", "0", "--alpn", ""), 2, /alpnProtocols cannot be used/],
  ["an operand too many", (_) => serve(_, "--port", "0", "now"), 2, /now/],
  [
    "a port in use",
    (_) => serve(_, "--port", _.port),
    1,
    /127\.0\.0\.1:\d+ cannot be listened on: the port is in use\./
  ],
  [
    "an address of somebody else",
    ({ cert, key }) => ["serve", "--port", "0", "--host", "192.0.2.1", "--cert", cert, "--key", key],
    1,
    /192\.0\.2\.1:0 cannot be listened on: this machine has no such address\./
  ],
  [
    "a missing certificate",
    ({ key, missing }) => ["serve", "--port", "0", "--cert", missing, "--key", key],
    1,
    /--cert .*missing cannot be read: no such file\./
  ],
  [
    "a directory as a key",
    ({ cert, directory }) => ["serve", "--port", "0", "--cert", cert, "--key", directory],
    1,
    /--key .* cannot be read: it is a directory\./
  ],
  [
    "text as a certificate",
    ({ key, text }) => ["serve", "--port", "0", "--cert", text, "--key", key],
    1,
    /cannot be used: there is no CERTIFICATE in the PEM text: it holds no PEM block at all\./
  ],
  [
    "a certificate as a key",
    ({ cert }) => ["serve", "--port", "0", "--cert", cert, "--key", cert],
    1,
    /there is no PRIVATE KEY in the PEM text: it holds only CERTIFICATE\./
  ],
  [
    "the key of another",
    ({ cert, otherKey }) => ["serve", "--port", "0", "--cert", cert, "--key", otherKey],
    1,
    /the private key does not belong to the certificate of CN=localhost\./
  ],
  [
    "text as authorities of clients",
    (_) => serve(_, "--port", "0", "--client-ca", _.text, "--client-auth", "request"),
    1,
    /--client-ca .* cannot be used: there is no CERTIFICATE/
  ],
  [
    "a key log that cannot be written",
    (_) => serve(_, "--port", "0", "--keylog", join(_.missing, "log")),
    1,
    /--keylog .* cannot be written: no such file\./
  ],
  ["no target", () => ["connect"], 2, /Missing required argument: HOST:PORT/],
  ["a target without a port", () => ["connect", "localhost"], 2, /"localhost". Expected: HOST:PORT/],
  ["a target with port 0", () => ["connect", "localhost:0"], 2, /Expected: HOST:PORT, with a port from 1 to 65535/],
  ["an IPv6 address without brackets", () => ["connect", "::1:443"], 2, /Expected: HOST:PORT/],
  ["--cert alone", (_) => ["connect", "localhost:1", "--cert", _.cert], 2, /--cert and --key go together/],
  ["--key alone", (_) => ["connect", "localhost:1", "--key", _.key], 2, /--cert and --key go together/],
  [
    "--ca with --insecure",
    (_) => ["connect", "localhost:1", "--ca", _.ca, "--insecure"],
    2,
    /--ca and --insecure exclude each other/
  ],
  ["no time at all", () => ["connect", "localhost:1", "--handshake-timeout", "0"], 2, /more than 0 seconds/],
  [
    "a name that is none",
    (_) => ["connect", "localhost:1", "--ca", _.ca, "--server-name", "a b"],
    2,
    /serverName cannot be used: "a b" is neither a host name nor an IP address/
  ],
  [
    "missing authorities",
    (_) => ["connect", "localhost:1", "--ca", _.missing],
    1,
    /--ca .* cannot be read: no such file/
  ]
]

describe("bad input", () => {
  it.live.each(cases)("%s", ([, args, code, sentence]) =>
    Effect.gen(function*() {
      const ended = yield* runToEnd(args(yield* place))
      assert.deepStrictEqual([ended.code, ended.stdout], [code, ""], ended.stderr)
      assert.match(ended.stderr, sentence)
      assert.notMatch(ended.stderr, /\n\s+at |Error:|\[\d\d:\d\d/, "no stack trace, no log")
      // One sentence, and for a bad command line where to read on.
      if (args.length > 0) {
        const [first, ...rest] = ended.stderr.trim().split("\n")
        assert.match(first ?? "", /^effect-tls/)
        assert.deepStrictEqual(rest.filter((line) => !/^Try "effect-tls( \w+)? --help"\.$/.test(line)), [])
      }
    }))

  it.live("help and version are output, and no failure", () =>
    Effect.gen(function*() {
      const { version } = yield* Effect.promise(() =>
        import("../../package.json", { with: { type: "json" } }).then((file) => file.default)
      )
      assert.deepStrictEqual(yield* runToEnd(["--version"]), { code: 0, stdout: `effect-tls ${version}\n`, stderr: "" })
      for (const command of ["serve", "connect", "explain"]) {
        const { code, stderr, stdout } = yield* runToEnd([command, "--help"])
        assert.deepStrictEqual([code, stderr], [0, ""])
        assert.match(stdout, new RegExp(`USAGE\n  effect-tls ${command} `))
      }
    }))
})
