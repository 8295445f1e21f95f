import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { join } from "node:path"
import { type BrowserContext, chromium } from "playwright-core"
import { serving } from "../cli/Command.ts"
import { nssDatabase } from "../harness/Nss.ts"
import { peerSuite } from "../harness/PeerSuite.ts"
import { type PkiFiles, pkiFiles } from "../harness/PkiFiles.ts"
import { waitLimit } from "../harness/Watch.ts"
import { versions } from "./Names.ts"
import { ourServer, receivedAlert } from "./Ours.ts"

/** It looks up no other host, and asks its maker for nothing. */
const flags = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost"
]

/** A browser with the profile and the NSS database of that home. */
const browser = (home: string): Effect.Effect<BrowserContext, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() =>
      chromium.launchPersistentContext(join(home, "profile"), {
        executablePath: "/usr/bin/chromium",
        chromiumSandbox: false,
        headless: true,
        args: flags,
        env: { HOME: home, PATH: process.env["PATH"] ?? "" },
        timeout: waitLimit * 2
      })
    ),
    (context) => Effect.promise(() => context.close())
  )

/** Chromium on Linux takes what this database of its user trusts for anchors. */
const homeOf = (files: PkiFiles, roots: ReadonlyArray<"ca">) =>
  Effect.as(nssDatabase(files, join(".pki", "nssdb"), { roots }), files.directory)

peerSuite(["chromium", "certutil"], (it) => {
  it.live.each(versions)("loads the page of effect-tls serve, twice: TLS %s", (version) =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const { cert, key } = files.of("ec")
      // Without the flag it is 1.3 all the same.
      const pin = version === "1.3" ? [] : ["--tls", version]
      const server = yield* serving("--cert", cert, "--key", key, "--alpn", "http/1.1", ...pin)
      const context = yield* browser(yield* homeOf(files, ["ca"]))
      const load = Effect.promise(async () => {
        const page = await context.newPage()
        const response = await page.goto(`https://localhost:${server.port}/`)
        return {
          status: response?.status(),
          text: await page.innerText("body"),
          security: await response?.securityDetails()
        }
      })
      const first = yield* load
      assert.strictEqual(first.status, 200)
      assert.match(first.text, new RegExp(`^version +TLS ${version}\ncipher suite +TLS_\\w+\nhandshake +full\n`))
      assert.match(first.text, /\nALPN +http\/1\.1\nserver name +localhost\n/)
      assert.deepInclude(first.security, { protocol: `TLS ${version}`, subjectName: "localhost" })
      const second = yield* load
      assert.match(second.text, /\nhandshake +resumed\n/)
      const lines = yield* server.lines(2)
      // It never says close_notify, not even after ours.
      assert.match(
        lines.join("\n"),
        new RegExp(`TLS ${version}, TLS_\\w+, full handshake, ALPN http/1.1: truncated by a FIN`)
      )
    }))

  it.live("agrees on the hybrid group, where this runtime has it", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles()
      const server = yield* ourServer({
        version: "1.3",
        groups: ["x25519mlkem768", "secp521r1"],
        handler: ({ pull, write }) =>
          Effect.andThen(pull, write(new TextEncoder().encode("HTTP/1.0 200 OK\r\n\r\nthe page")))
      })
      const context = yield* browser(yield* homeOf(files, ["ca"]))
      const text = yield* Effect.promise(async () => {
        const page = await context.newPage()
        await page.goto(`https://localhost:${server.port}/`)
        return page.innerText("body")
      })
      assert.strictEqual(text, "the page")
      assert.strictEqual((yield* server.report).connection?.group, "x25519mlkem768")
    }))

  it.live("does not trust the authority: we are told certificate_unknown", () =>
    Effect.gen(function*() {
      const files = yield* pkiFiles("ec")
      const { cert, key } = files.of("ec")
      const command = yield* serving("--cert", cert, "--key", key)
      const server = yield* ourServer({ version: "1.3" })
      const context = yield* browser(yield* homeOf(files, []))
      const load = (port: number) =>
        Effect.promise(async () => {
          const page = await context.newPage()
          return page.goto(`https://localhost:${port}/`).then(() => "loaded", String)
        })
      assert.match(yield* load(server.port), /net::ERR_CERT_AUTHORITY_INVALID/)
      assert.strictEqual(receivedAlert((yield* server.report).exit), 46)
      assert.match(yield* load(command.port), /net::ERR_CERT_AUTHORITY_INVALID/)
      const [line] = yield* command.lines(1)
      assert.match(line ?? "", /handshake failed: alert received: fatal certificate_unknown \(46\)$/)
    }))
}, "Chromium")
