#!/usr/bin/env node
/**
 * The command `effect-tls`.
 *
 * @since 0.1.0
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Runtime from "effect/Runtime"
import { readFileSync } from "node:fs"
import { connect } from "./Connect.ts"
import { explain } from "./Explain.ts"
import { CommandFailed, ExitCode } from "./Failure.ts"
import { printable } from "./Printable.ts"
import { serve } from "./Serve.ts"

const versionOf = (packageJson: unknown): string =>
  typeof packageJson === "object" && packageJson !== null && "version" in packageJson
    ? String(packageJson.version)
    : "unknown"

const version = versionOf(JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")))

const cli = Command.make("effect-tls").pipe(
  Command.withDescription("TLS with its alerts spelled out."),
  Command.withSubcommands([serve, connect, explain])
)

/** Help that was not asked for, and what is wrong with a command line, is no output: both go to stderr. */
const presenter: CliOutput.Presenter = {
  present: Effect.fnUntraced(function*(event) {
    switch (event._tag) {
      case "Help":
        if (event.reason === "Requested") return yield* CliOutput.defaultPresenter.present(event)
        return yield* Console.error(CliOutput.defaultFormatter({ colors: false }).formatHelpDoc(event.helpDoc))
      case "InvalidInvocation": {
        const command = event.commandPath.join(" ")
        for (const { message } of event.errors) yield* Console.error(`${command}: ${oneLine(message)}`)
        return yield* Console.error(`Try "${command} --help".`)
      }
      case "Version":
        return yield* Console.log(`${event.name} ${event.version}`)
    }
  })
}

const oneLine = (message: string): string =>
  message.replace(/\s+Did you mean this\?\s+(.*)$/s, ". Did you mean $1?").replaceAll(/\s*\n\s*/g, " or ")

const main = Command.run(cli, { version }).pipe(
  Effect.catch((error) =>
    error._tag === "CommandFailed"
      ? Effect.andThen(Console.error(`effect-tls: ${printable(error.message)}`), Effect.fail(error))
      : Effect.fail(new CommandFailed({ message: error.message, exitCode: ExitCode.usage }))
  ),
  Effect.provide([
    NodeServices.layer,
    CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
    CliOutput.layerPresenter(presenter),
    Layer.succeed(References.LogToStderr, true)
  ])
)

NodeRuntime.runMain(main, {
  // The code alone is set: what still has to leave (an alert, a close_notify, output) leaves before the process ends.
  teardown: (exit) =>
    Runtime.defaultTeardown(exit, (code) => {
      process.exitCode = code
    })
})
