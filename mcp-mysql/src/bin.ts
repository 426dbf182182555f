#!/usr/bin/env node
/** The executable: nothing but the command and its exit code. */
import { runCommand } from "./command.js";

process.exitCode = await runCommand();
