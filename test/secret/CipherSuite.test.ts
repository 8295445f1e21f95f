import { assert, it } from "@effect/vitest"
import { suite13Of, suiteOf, suites, suites13 } from "../../src/secret/CipherSuite.ts"

it("the numbers of RFC 5289 and RFC 7905, in order of preference", () => {
  // id, name, authentication, aead, hash, key, fixed IV, IV in the record
  const wanted = [
    [0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ecdsa", "aes-128-gcm", "sha256", 16, 4, 8],
    [0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "rsa", "aes-128-gcm", "sha256", 16, 4, 8],
    [0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ecdsa", "aes-256-gcm", "sha384", 32, 4, 8],
    [0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "rsa", "aes-256-gcm", "sha384", 32, 4, 8],
    [0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ecdsa", "chacha20-poly1305", "sha256", 32, 12, 0],
    [0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "rsa", "chacha20-poly1305", "sha256", 32, 12, 0]
  ]
  assert.deepStrictEqual(
    suites.map((suite) => [
      suite.id,
      suite.name,
      suite.authentication,
      suite.aead,
      suite.hash,
      suite.keyLength,
      suite.fixedIvLength,
      suite.recordIvLength
    ]),
    wanted
  )
})

it("both parts of the IV make a nonce of 12 bytes", () => {
  for (const suite of suites) assert.strictEqual(suite.fixedIvLength + suite.recordIvLength, 12)
})

it("a key wears out after 2^24.5 records, where it does at all", () => {
  for (const suite of suites) {
    assert.strictEqual(
      suite.recordLimit,
      suite.aead === "chacha20-poly1305" ? Number.MAX_SAFE_INTEGER : 23_726_566,
      suite.name
    )
  }
})

it("suiteOf", () => {
  for (const suite of suites) assert.strictEqual(suiteOf(suite.id), suite)
  for (const id of [0x0000, 0x00ff, 0x1301, 0x5600, 0xc02d, 0xffff]) assert.strictEqual(suiteOf(id), undefined)
})

it("the numbers of RFC 8446 appendix B.4, in order of preference, and the limits of section 5.5", () => {
  const { MAX_SAFE_INTEGER } = Number
  assert.deepStrictEqual(
    suites13.map((suite) => [suite.id, suite.name, suite.aead, suite.hash, suite.keyLength, suite.recordLimit]),
    [
      [0x1301, "TLS_AES_128_GCM_SHA256", "aes-128-gcm", "sha256", 16, 23_726_566],
      [0x1302, "TLS_AES_256_GCM_SHA384", "aes-256-gcm", "sha384", 32, 23_726_566],
      [0x1303, "TLS_CHACHA20_POLY1305_SHA256", "chacha20-poly1305", "sha256", 32, MAX_SAFE_INTEGER]
    ]
  )
})

it("suite13Of knows those alone, and no version has a suite of the other", () => {
  for (const suite of suites13) {
    assert.strictEqual(suite13Of(suite.id), suite)
    assert.strictEqual(suiteOf(suite.id), undefined)
  }
  for (const id of [0x0000, 0x1300, 0x1304, 0x1305, 0xc02b]) assert.strictEqual(suite13Of(id), undefined)
})
