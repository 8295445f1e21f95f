/**
 * TLS for Effect applications, built around the alert protocol.
 *
 * @since 0.1.0
 */
export * as Alert from "./alert/Alert.ts"
export * as Catalogue from "./alert/Catalogue.ts"
export * as Closure from "./alert/Closure.ts"
export * as Fault from "./alert/Fault.ts"
export * as Lookup from "./alert/Lookup.ts"
export * as Reason from "./alert/Reason.ts"
export * as TlsError from "./alert/TlsError.ts"
export * as Verdict from "./alert/Verdict.ts"
export type { Connection } from "./connection/Connection.ts"
export type { Observation, Observer } from "./record/Observer.ts"
export * as CipherSuite from "./secret/CipherSuite.ts"
export { Primitives } from "./secret/Primitives.ts"
export * as Identity from "./service/Identity.ts"
export * as Pem from "./service/Pem.ts"
export * as Randomness from "./service/Randomness.ts"
export { RemoteAddress } from "./service/RemoteAddress.ts"
export { Session } from "./service/Session.ts"
export * as SessionCache from "./service/SessionCache.ts"
export * as TlsConfig from "./service/TlsConfig.ts"
export * as Trust from "./service/Trust.ts"
export * as TlsClient from "./TlsClient.ts"
export * as TlsServer from "./TlsServer.ts"
export * as TlsTest from "./TlsTest.ts"
