// A client in TypeScript, by the types that openapi-typescript makes of the description. It is compiled strictly, and run.
import type { components, operations, paths } from "./shop.js";

const base = process.argv[2] ?? "";

type Get = { [P in keyof paths]: paths[P] extends { get: { responses: { 200: { content: { "application/json": infer T } } } } } ? T : never };

/** Reads what a path gives, as the description types it. */
async function get<P extends keyof Get & string>(path: P): Promise<Get[P]> {
  const answer = await fetch(`${base}${path}`);
  if (!answer.ok) {
    const problem = (await answer.json()) as components["schemas"]["Problem"];
    throw new Error(`${problem.status} ${problem.code}: ${problem.detail}`);
  }
  return (await answer.json()) as Get[P];
}

const problems: operations["list_problems"]["responses"][200]["content"]["application/json"] = await get("/v1/problems");
const known: components["schemas"]["Problem"]["code"] = "invalid_cursor";
const found = problems.data.find(({ code }) => code === known);
if (found === undefined || found.status !== 400 || problems.next !== null) {
  throw new Error(`not what was described: ${JSON.stringify(problems)}`);
}
console.log("held");
