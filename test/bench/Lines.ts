import * as Effect from "effect/Effect"
import { testCredential, testPki } from "../harness/Pki.ts"
import { alertLine } from "./AlertDecode.ts"
import { dataLines } from "./Bulk.ts"
import { chainLine, worstChainLine } from "./Certificates.ts"
import { handshakeLines } from "./Handshake.ts"
import { idleLine } from "./Idle.ts"
import type { Line } from "./Line.ts"
import { sessionLines } from "./Sessions.ts"

/** Everything that is measured, for an ECDSA P-256 certificate under a root that the clients trust. */
export const linesOf: Effect.Effect<ReadonlyArray<Line>> = Effect.gen(function*() {
  const [pki, leaf] = [yield* testPki, yield* testCredential("ec")]
  const credentials = {
    certificate: leaf.certificatePem,
    privateKey: leaf.privateKeyPem,
    anchors: pki.ca.certificatePem
  }
  return [
    ...dataLines(credentials),
    ...handshakeLines(credentials),
    ...sessionLines(credentials),
    idleLine(credentials),
    alertLine,
    chainLine,
    worstChainLine
  ]
})
