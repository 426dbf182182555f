#!/usr/bin/env node
/** The executable. */
import { runCommand } from "./command.js";

process.exitCode = await runCommand();
