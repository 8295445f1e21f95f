import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"

/** The foreign programs the harness drives; stdbuf, of coreutils, for `lineBuffered`. node:tls is always there. */
export const peers = ["openssl", "gnutls-cli", "gnutls-serv", "stdbuf", "redis-server"] as const
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

/** Which peers are installed here. */
export const availability: Readonly<Record<Peer, boolean>> = {
  "openssl": isInstalled("openssl"),
  "gnutls-cli": isInstalled("gnutls-cli"),
  "gnutls-serv": isInstalled("gnutls-serv"),
  "stdbuf": isInstalled("stdbuf"),
  "redis-server": isInstalled("redis-server")
}

/** Where every peer must be present (CI), a missing one is a failure instead of a skip. */
export const requirePeers = process.env["EFFECT_TLS_REQUIRE_PEERS"] === "1"
