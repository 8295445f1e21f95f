import { defineConfig } from "vitest/config"

export default defineConfig({
  root: new URL("..", import.meta.url).pathname,
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source"] } },
  test: {
    include: ["test/**/*.test.ts", "docs/**/*.test.ts"],
    // Tests that talk to foreign processes wait for events, and a busy machine makes those late.
    testTimeout: 20_000
  }
})
