// Draws /openapi.json. Everything from the document is put in as text, never as markup.
"use strict";

// make builds an element: attributes first, then children, which are elements or text.
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

function table(head, rows) {
  const line = (cell, cells) => make("tr", {}, ...cells.map((c) => (c instanceof Element && c.tagName === "TD" ? c : make(cell, {}, c))));
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, line("th", head)), make("tbody", {}, ...rows.map((r) => line("td", r)))));
}

// resolve follows a reference into the document's components.
function resolve(doc, schema) {
  if (!schema || !schema.$ref) return schema || {};
  return schema.$ref.replace(/^#\//, "").split("/").reduce((at, key) => at[key], doc) || {};
}

function typeName(doc, schema) {
  const s = resolve(doc, schema);
  const types = [].concat(s.type || "any").filter((t) => t !== "null");
  if (types[0] === "array") return "list of " + typeName(doc, s.items);
  if (s.enum) return s.enum.map((v) => JSON.stringify(v)).join(" | ");
  if (s.contentEncoding) return s.contentEncoding;
  if (schema && schema.$ref) return schema.$ref.split("/").pop();
  return types.join(" | ");
}

// fields lists a schema's properties as rows, nested ones indented below their parent.
function fields(doc, schema, depth = 0) {
  const s = resolve(doc, schema);
  const inner = [].concat(s.type || []).includes("array") ? resolve(doc, s.items) : s;
  const rows = [];
  for (const [name, property] of Object.entries(inner.properties || {})) {
    const required = (inner.required || []).includes(name);
    const cell = make("td", depth ? { class: "deep" + Math.min(depth, 3) } : {}, make("code", required ? {} : { class: "soft" }, name));
    rows.push([cell, typeName(doc, property), resolve(doc, property).description || property.description || ""]);
    if (depth < 3) rows.push(...fields(doc, property, depth + 1));
  }
  return rows;
}

function body(doc, title, content) {
  const parts = [];
  for (const [kind, media] of Object.entries(content || {})) {
    const rows = fields(doc, media.schema);
    parts.push(make("h4", {}, title + " · " + kind));
    parts.push(rows.length ? table(["Field", "Type", ""], rows) : make("p", { class: "soft" }, typeName(doc, media.schema)));
  }
  return parts;
}

function parameters(operation) {
  const list = operation.parameters || [];
  if (!list.length) return [];
  const rows = list.map((p) => [make("code", p.required ? { class: "required" } : {}, p.name), p.in, p.description || ""]);
  return [make("h4", {}, "Parameters"), table(["Name", "In", ""], rows)];
}

// tryOut is a form that asks this node. Only reading is offered: a transaction has to be signed first.
function tryOut(path, operation) {
  const inputs = new Map();
  const out = make("pre", { hidden: "" });
  const form = make("form", {});
  for (const p of operation.parameters || []) {
    const id = operation.operationId + "-" + p.name;
    const example = p.schema && p.schema.examples ? p.schema.examples[0] : p.example;
    const input = make("input", { id, name: p.name, autocomplete: "off", spellcheck: "false", placeholder: example === undefined ? "" : String(example) });
    if (p.required) input.required = true;
    inputs.set(p, input);
    form.append(make("label", { for: id, class: p.required ? "required" : "" }, p.name), input);
  }
  form.append(make("button", { type: "submit" }, "Send"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    out.hidden = false;
    out.textContent = "…";
    out.textContent = await send(path, inputs).catch((error) => String(error));
  });
  return make("details", {}, make("summary", {}, "Try it on this node"), form, out);
}

async function send(path, inputs) {
  const query = new URLSearchParams();
  const headers = {};
  for (const [p, input] of inputs) {
    const value = input.value.trim();
    if (value === "") continue;
    if (p.in === "path") path = path.replace("{" + p.name + "}", encodeURIComponent(value));
    else if (p.in === "query") query.set(p.name, value);
    else headers[p.name] = value;
  }
  const target = path + (query.size ? "?" + query : "");
  const answer = await fetch(target, { headers });
  const text = await answer.text();
  const lines = [`GET ${target}`, `${answer.status} ${answer.statusText}`];
  answer.headers.forEach((value, name) => name.startsWith("x-tetrad-") && lines.push(`${name}: ${value}`));
  try {
    return lines.join("\n") + "\n\n" + JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return lines.join("\n") + "\n\n" + text;
  }
}

function operationSection(doc, path, method, operation) {
  const section = make("section", { class: "operation", id: operation.operationId });
  section.append(
    make("h3", {}, make("span", { class: "method " + method }, method.toUpperCase()), make("span", { class: "path" }, path)),
    make("p", { class: "summary" }, operation.summary || ""),
  );
  if (operation.description) section.append(make("p", { class: "soft" }, operation.description));
  section.append(...parameters(operation));
  if (operation.requestBody) section.append(...body(doc, "Request", operation.requestBody.content));
  for (const [status, response] of Object.entries(operation.responses || {})) {
    if (status !== "default") section.append(...body(doc, status, response.content));
  }
  if (method === "get") section.append(tryOut(path, operation));
  return section;
}

async function errorSection() {
  const answer = await fetch("/v1/errors");
  const registry = await answer.json();
  const rows = registry.errors.map((e) => [String(e.code), make("code", {}, e.slug), e.class, e.retryable ? "yes" : "", e.message]);
  return [make("h2", { id: "codes" }, "Codes"), table(["Code", "Name", "Class", "Retry", ""], rows)];
}

function draw(doc) {
  const nav = document.getElementById("nav");
  const main = document.getElementById("content");
  main.replaceChildren(
    make("h1", {}, doc.info.title),
    make("p", { class: "soft" }, "Version " + doc.info.version + " · ", make("a", { href: "/openapi.json" }, "openapi.json")),
    make("p", {}, doc.info.description || ""),
  );
  for (const tag of doc.tags) {
    const links = make("ul", {});
    main.append(make("h2", {}, tag.name), make("p", { class: "soft" }, tag.description || ""));
    nav.append(make("h2", {}, tag.name), links);
    for (const [path, methods] of Object.entries(doc.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (!(operation.tags || []).includes(tag.name)) continue;
        links.append(make("li", {}, make("a", { href: "#" + operation.operationId }, operation.summary || path)));
        main.append(operationSection(doc, path, method, operation));
      }
    }
  }
  nav.append(make("h2", {}, "More"), make("ul", {}, make("li", {}, make("a", { href: "#codes" }, "Codes"))));
}

async function start() {
  const answer = await fetch("/openapi.json");
  draw(await answer.json());
  document.getElementById("content").append(...(await errorSection()));
  const target = document.getElementById(location.hash.slice(1));
  if (target) target.scrollIntoView();
}

start().catch((error) => {
  document.getElementById("content").append(make("p", { class: "bad" }, "The page could not be drawn: " + error));
});
