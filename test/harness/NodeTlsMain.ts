/** The process of `NodeTlsProcess.ts`. */
import { readFileSync } from "node:fs"
import { connect, createServer } from "node:tls"
import type { NodeTlsTask } from "./NodeTlsProcess.ts"

const task: NodeTlsTask = JSON.parse(process.argv[2] ?? "")

if (task.role === "client") {
  const { caFile, port, version } = task
  const socket = connect({ host: "127.0.0.1", port, servername: "localhost", ca: readFileSync(caFile), ...version })
  process.stdin.pipe(socket)
  socket.pipe(process.stdout)
} else {
  const { cert, key, version } = task
  const server = createServer({ cert: readFileSync(cert), key: readFileSync(key), ...version }, (socket) => {
    socket.pipe(socket)
  })
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    if (address !== null && typeof address === "object") console.log(`listening on ${address.port}`)
  })
}
