// Print the report of the Khronos glTF validator as JSON: node validate.mjs FILE.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const validator = require("gltf-validator");
const report = await validator.validateBytes(new Uint8Array(readFileSync(process.argv[2])));
console.log("RESULT " + JSON.stringify({ issues: report.issues, skins: report.info.hasSkins }));
