// A client in TypeScript, by the types that openapi-typescript makes of the description. It is compiled strictly, and run.
import type { components, operations } from "./shop.js";

type Schemas = components["schemas"];
type Json<O extends keyof operations, S extends keyof operations[O]["responses"]> =
  operations[O]["responses"][S] extends { content: { "application/json": infer T } } ? T : never;

const base = process.argv[2] ?? "";

/** Sends a call; a refusal is thrown as the problem that it is. */
async function call<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await fetch(`${base}${path}`, { method, headers: { "Content-Type": "application/json", ...headers }, ...sent });
  const told: unknown = await answer.json();
  if (!answer.ok) throw told as Schemas["Problem"];
  return told as T;
}

function holds(condition: boolean, what: unknown): asserts condition {
  if (!condition) throw new Error(`not what was described: ${JSON.stringify(what)}`);
}

const wanted: Schemas["NewProduct"] = { name: "Puffy", handle: "puffy", price: { amount: 1299, currency: "EUR" }, tags: ["toy"] };
const made = await call<Json<"create_product", 201>>("POST", "/v1/products", wanted, { "Idempotency-Key": '"puffy-1"' });
holds(made.handle === "puffy" && made.price.amount === 1299 && made.status === "active", made);

const change: Schemas["StockChange"] = { delta: 4, reason: "delivery" };
const changed = await call<Json<"change_stock", 200>>("POST", `/v1/products/${made.id}/stock-changes`, change);
holds(changed.delta === 4, changed);

const product = await call<Json<"show_product_by_handle", 200>>("GET", "/v1/products/by-handle/puffy?include=stock");
holds(product.id === made.id && product.stock?.available === 4, product);

const code: Schemas["Code"] = "currency_mismatch";
const dollars = { ...wanted, price: { amount: 1, currency: "USD" } };
const problem = await call("POST", "/v1/products", dollars).catch((refusal: Schemas["Problem"]) => refusal) as Schemas["Problem"];
holds(problem.code === code && problem.errors?.[0]?.pointer === "/price/currency", problem);
console.log("held");
