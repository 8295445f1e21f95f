import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"

/**
 * The foreign programs the harness drives; stdbuf, of coreutils, for `lineBuffered`, certutil and pk12util for the databases of
 * NSS. node:tls is always there.
 */
export const peers = [
  "openssl",
  "gnutls-cli",
  "gnutls-serv",
  "stdbuf",
  "curl",
  "tstclnt",
  "selfserv",
  "certutil",
  "pk12util",
  "java",
  "chromium",
  "redis-server"
] as const
export type Peer = typeof peers[number]

const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Whether `command` is found on a PATH. */
export const isInstalled = (command: string, path: string = process.env["PATH"] ?? ""): boolean =>
  path.split(delimiter).some((directory) => directory !== "" && isExecutable(join(directory, command)))

/** The peers that are installed here. */
export const availability: ReadonlySet<Peer> = new Set(peers.filter((peer) => isInstalled(peer)))

/** Where every peer must be present (CI), a missing one is a failure instead of a skip. */
export const requirePeers = process.env["EFFECT_TLS_REQUIRE_PEERS"] === "1"
