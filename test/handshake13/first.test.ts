import { accepts } from "./conversation.ts"
accepts("as client", "client", [["plain", {}], ["retry", { retries: true }], ["resumed", {}, { remembers: true }], ["asked", { asks: true }]])
accepts("as server", "server", [["plain", {}], ["retry", {}, { server: { groups: ["secp256r1"] } }], ["resumed", {}, { remembers: true }]])
