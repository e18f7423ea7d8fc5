// Shows openapi.json of this server. Everything comes from there; texts become nodes, never markup.
"use strict";

const deepest = 6; // levels of a schema that are shown
const methods = ["get", "put", "post", "delete"];
let api = {};

function node(name, attributes, ...children) {
  const out = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) out.setAttribute(key, value);
  out.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return out;
}

/** Text with `code` in it. */
function prose(text) {
  return (text || "").split("`").map((part, i) => (i % 2 ? node("code", {}, part) : part));
}

/** What stands behind a reference, with what stands beside it; other values as they are. */
function resolved(value) {
  if (!value || !value.$ref) return value || {};
  let target = api;
  for (const part of value.$ref.slice(2).split("/")) target = target[part.replace(/~1/g, "/").replace(/~0/g, "~")] || {};
  const { $ref, ...beside } = value;
  return { ...resolved(target), ...beside };
}

function literal(value) {
  return typeof value === "bigint" ? String(value) : JSON.stringify(value, (_, v) => (typeof v === "bigint" ? Number(v) : v));
}

function kinds(schema) {
  if (schema.const !== undefined) return literal(schema.const);
  if (schema.enum) return schema.enum.map(literal).join(" | ");
  const types = [].concat(schema.type || (schema.properties ? "object" : []));
  return types.map((type) => (type === "array" && schema.items ? `list of ${kinds(resolved(schema.items)) || "anything"}` : type)).join(" | ");
}

/** Range, default and pattern in words. */
function bounds(schema) {
  const out = [];
  if (schema.minimum !== undefined) out.push(`at least ${literal(schema.minimum)}`);
  if (schema.exclusiveMinimum !== undefined) out.push(`above ${literal(schema.exclusiveMinimum)}`);
  if (schema.maximum !== undefined) out.push(`at most ${literal(schema.maximum)}`);
  if (schema.exclusiveMaximum !== undefined) out.push(`below ${literal(schema.exclusiveMaximum)}`);
  if (schema.minLength) out.push("not empty");
  if (schema.minItems) out.push(`at least ${schema.minItems} of them`);
  if (schema.maxItems !== undefined) out.push(`at most ${schema.maxItems} of them`);
  if (schema.maxProperties !== undefined) out.push(`at most ${schema.maxProperties} members`);
  if (schema["x-limit"]) out.push(`up to ${schema["x-limit"]} of /info`);
  if (schema.pattern) out.push(`matches ${schema.pattern}`);
  if (schema.default !== undefined) out.push(`default ${literal(schema.default)}`);
  return out.join(", ");
}

function field(name, given, needed, depth) {
  const schema = resolved(given);
  const facts = [kinds(schema), needed ? "required" : "", bounds(schema)].filter(Boolean).join("; ");
  const title = node("dt", {}, name ? node("code", {}, name) : "", " ", node("span", { class: "note" }, facts));
  const inner = node("dd", {}, schema.description ? node("p", {}, ...prose(schema.description)) : "", members(schema, depth + 1));
  return [title, inner];
}

/** The members of a schema, through its alternatives and lists; null where it has none. */
function members(given, depth) {
  const schema = resolved(given);
  if (depth > deepest) return null;
  const list = node("dl", { class: "fields" });
  for (const [name, property] of Object.entries(schema.properties || {}))
    list.append(...field(name, property, (schema.required || []).includes(name), depth));
  for (const part of schema.allOf || []) list.append(...((members(part, depth) || {}).childNodes || []));
  for (const part of [...(schema.anyOf || []), ...(schema.oneOf || [])])
    if (resolved(part).type !== "null") list.append(...field("", { title: "or", ...part }, false, depth));
  if (schema.items) list.append(...((members(schema.items, depth + 1) || {}).childNodes || []));
  if (schema.contentSchema) list.append(...((members(schema.contentSchema, depth + 1) || {}).childNodes || []));
  return list.childNodes.length ? list : null;
}

function body(content) {
  return Object.entries(content || {}).map(([type, media]) =>
    node("div", {}, node("p", {}, node("code", {}, type), " ", node("span", { class: "note" }, kinds(resolved(media.schema)))),
      members(media.schema, 0)));
}

function parameters(operation) {
  if (!operation.parameters) return "";
  const list = node("dl", { class: "fields" });
  for (const given of operation.parameters) {
    const parameter = resolved(given);
    const schema = { ...resolved(parameter.schema), description: parameter.description };
    list.append(...field(`${parameter.name} (${parameter.in})`, schema, parameter.required, 0));
  }
  return node("section", {}, node("h4", {}, "Parameters"), list);
}

/** A command that asks for this operation, with the first example of a body. */
function curl(path, method, operation) {
  const lines = [`curl ${method === "get" ? "" : `-X ${method.toUpperCase()} `}'${location.origin}${path.replace(/[{}]/g, "")}'`];
  if (!operation.security || operation.security.some((one) => Object.keys(one).length)) lines.push(`-H "Authorization: Bearer $KEY"`);
  const media = ((operation.requestBody || {}).content || {})["application/json"];
  const example = media && Object.values(media.examples || {})[0];
  if (media) lines.push("-H 'content-type: application/json'");
  if (example) lines.push(`-d '${literal(example.value).replace(/'/g, "'\\''")}'`);
  return node("pre", { tabindex: "0", "aria-label": "Example" }, node("code", {}, lines.join(" \\\n     ")));
}

function replies(operation) {
  const out = node("section", {}, node("h4", {}, "Answers"));
  for (const [status, given] of Object.entries(operation.responses)) {
    const reply = resolved(given);
    const shown = [node("ul", {}, ...Object.entries(reply.headers || {}).map(([name, header]) =>
      node("li", {}, node("code", {}, name), " ", node("span", { class: "note" }, ...prose(resolved(header).description))))), ...body(reply.content)];
    out.append(node("details", status.startsWith("2") ? { open: "" } : {},
      node("summary", {}, node("code", {}, status), " ", ...prose(reply.description)), ...shown));
  }
  return out;
}

function operation(path, method, what) {
  const title = node("summary", {}, node("span", { class: `method ${method}` }, method.toUpperCase()), " ", node("code", {}, path), " ", ...prose(what.summary));
  const inside = node("div", {}, what.description ? node("p", {}, ...prose(what.description)) : "", curl(path, method, what), parameters(what),
    what.requestBody ? node("section", {}, node("h4", {}, "Body"), ...body(what.requestBody.content)) : "", replies(what));
  return node("article", { id: what.operationId }, node("details", {}, title, inside));
}

function show() {
  document.getElementById("about").replaceChildren(...prose(api.info.description));
  const main = document.getElementById("operations");
  const nav = document.getElementById("contents");
  for (const tag of api.tags) {
    const links = node("ul", {});
    const section = node("section", {}, node("h2", {}, tag.name), node("p", {}, tag.description || ""));
    for (const [path, operations] of Object.entries(api.paths))
      for (const method of methods) {
        const what = operations[method];
        if (!what || !what.tags.includes(tag.name)) continue;
        section.append(operation(path, method, what));
        links.append(node("li", {}, node("a", { href: `#${what.operationId}` }, node("span", { class: `method ${method}` }, method.toUpperCase()), ` ${path}`)));
      }
    main.append(section);
    nav.append(node("h2", {}, tag.name), links);
  }
  nav.hidden = false;
  open_target();
}

/** Opens the operation that the address names. */
function open_target() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  const details = target && target.querySelector("details");
  if (!details) return;
  details.open = true;
  details.querySelector("summary").focus();
  target.scrollIntoView();
}

function filter(word) {
  for (const item of document.querySelectorAll("nav li")) {
    const link = item.querySelector("a");
    const article = document.getElementById(link.getAttribute("href").slice(1));
    const fits = article.textContent.toLowerCase().includes(word.toLowerCase());
    item.hidden = article.hidden = !fits;
  }
}

/** Whole numbers of 64 bits would lose their last digits as doubles. */
function exact(_, value, context) {
  const text = context && context.source;
  return typeof value === "number" && text && /^-?\d+$/.test(text) && !Number.isSafeInteger(value) ? BigInt(text) : value;
}

async function load(key) {
  const state = document.getElementById("state");
  const form = document.getElementById("key-form");
  try {
    const reply = await fetch("openapi.json", { headers: key ? { Authorization: `Bearer ${key}` } : {} });
    form.hidden = reply.status !== 401;
    if (!reply.ok) {
      state.textContent = reply.status === 401 ? (key ? "That key is not taken." : "") : `The server answered ${reply.status}.`;
      if (reply.status === 401) document.getElementById("key").focus();
      return;
    }
    api = JSON.parse(await reply.text(), exact);
  } catch {
    state.textContent = "The server cannot be reached.";
    return;
  }
  state.textContent = "";
  show();
}

document.getElementById("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  load(document.getElementById("key").value);
});
document.getElementById("filter").addEventListener("input", (event) => filter(event.target.value));
window.addEventListener("hashchange", open_target);
load("");
