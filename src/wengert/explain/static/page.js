"use strict";
(async () => {
// A large page is packed.
async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).text();
}
const held = document.getElementById("data");
const D = JSON.parse(held.type === "application/json" ? held.textContent : await unpacked(held.textContent));
held.textContent = "";
const $ = id => document.getElementById(id);
const F = D.forward, N = D.steps.length, ROW = 26;
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
let at = 0, scope = 0, detail = false, shown = null, stops = new Set(), rows = [...Array(N).keys()];

// -- formulas: holes are filled with names --------------------------------------------------------------------------
const name = k => typeof D.names[k] === "string" ? D.names[k] : D.stems[D.names[k][0]].replace("\ue000", D.names[k][1]);
const fill = m => D.formulas[m[0]].replace(/[\ue000-\uf8ff]/g, c => `<mrow>${name(m[c.charCodeAt(0) - 0xe000 + 1])}</mrow>`);
const equation = (left, sign, right) =>
  `<div class="eq"><math displaystyle="true"><mrow>${left}</mrow><mo>${sign}</mo><mrow>${right}</mrow></math></div>`;
const esc = s => String(s).replace(/[&<>"]/g, c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}[c]));
const source = w => w.length ? `<div class="src"><b>${esc(D.files[w[0]])}:${w[1]}</b>  ${esc(D.lines[w[2]])}</div>` : "";
const bytes = b => b < 1000 ? b + " B" : b < 1e6 ? (b / 1e3).toPrecision(3) + " kB" : (b / 1e6).toPrecision(3) + " MB";
const num = s => `<p class="num">= ${esc(s)}</p>`;
const note = s => s ? `<p class="note">${esc(s)}</p>` : "";

function card() {
  if (at === 0) {
    return `<p class="kind">Before the first step</p><p>${F} steps forward, ${N - F} backward. Press <kbd>→</kbd> to go on,
      <kbd>End</kbd> for the end, <kbd>b</kbd> for where backward begins. ∇ stands for the derivative of
      <math>${name(D.root)}</math> with respect to what follows it.</p>` + gradients();
  }
  const s = D.steps[at - 1];
  if (at <= F) {
    let out = `<p class="kind">Forward, step ${at} of ${F}</p>`;
    out += equation(s.o.map(name).join("<mo>,</mo>"), "=", fill(s.m));
    out += s.v.map(num).join("");
    out += s.in.map(([k, v]) => `<p class="num"><math>${name(k)}</math> = ${esc(v)}</p>`).join("");
    return out + source(s.at) + note(D.lines[s.say]);
  }
  let out = `<p class="kind">Backward, step ${at - F} of ${N - F}: the derivative of step ${s.f}</p>`;
  out += s.g.map(([k, v]) => `<p class="num">arrived: <math>${name(k)}</math> = ${esc(v)}</p>`).join("");
  for (const t of s.t) {
    out += equation(name(t.x), t.s ? "+=" : "=", t.m ? fill(t.m) : "<mtext>" + esc(D.lines[s.say]) + "</mtext>");
    if (t.n) out += num(t.n);
    out += num(t.v) + note(t.say);
  }
  out += source(s.at) + note(D.lines[s.say]);
  if (D.long) out += note("formulas with numbers in them are left out of so long a page");
  return at === N ? out + gradients() : out;
}
const gradients = () => "<h2>Gradients</h2>" + D.gradients.map(([k, v, g]) =>
  `<p class="num"><math>${name(k)}</math> = ${esc(v)}</p>` + (at === N || at === 0 ? note(g) : "")).join("");

// -- the drawing ----------------------------------------------------------------------------------------------------
const place = p => p <= F ? p : D.steps[p - 1].f;
function scopeOf(p) {
  let found = 0;
  for (;;) {
    const inside = kids[found].find(k => D.scopes[k].a <= p && p <= D.scopes[k].z);
    if (inside === undefined || D.scopes[found].e && detail) return found;
    found = inside;
  }
}
const kids = D.scopes.map(() => []);
D.scopes.forEach((s, k) => { if (s.p !== null) kids[s.p].push(k); });

function draw() {
  const s = D.scopes[scope], flat = detail && s.e, [inside, w, h] = flat ? s.e : s.d;
  $("canvas").innerHTML = `<svg class="g" role="group" aria-label="${esc(s.l)}" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}">${inside}</svg>`;
  for (const g of $("canvas").querySelectorAll("[data-s],[data-o]")) {
    g.setAttribute("tabindex", "-1");
    g.setAttribute("role", "button");
    g.setAttribute("aria-label", (g.dataset.o ? "open " : "step ") + g.querySelector(".f").textContent);
  }
  shown = [...$("canvas").querySelectorAll("[data-a]")].map(e => [e, +e.dataset.a, e.dataset.u ? +e.dataset.u : Infinity]);
  boxes = [...$("canvas").querySelectorAll("[data-s],[data-o]")];
  const path = [];
  for (let k = scope; k !== null; k = D.scopes[k].p) path.unshift(k);
  $("crumbs").innerHTML = path.map((k, i) => i < path.length - 1
    ? `<button data-go="${k}">${esc(D.scopes[k].l)}</button> ›` : `<b>${esc(D.scopes[k].l)}</b>`).join(" ")
    + (s.e ? ` <button id="fold" aria-pressed="${!flat}">${flat ? "collapse" : "show every step"}</button>` : "");
}
let boxes = [], fresh = true;
function light() {
  for (const [e, a, u] of shown) e.classList.toggle("on", at >= a && at < u);
  const p = at ? place(at) : 0;
  let here = null;
  for (const b of boxes) {
    const [a, z] = b.dataset.o ? [D.scopes[b.dataset.o].a, D.scopes[b.dataset.o].z] : [+b.dataset.s, +b.dataset.s];
    b.classList.toggle("later", Math.min(at, F) < z);
    const mine = a <= p && p <= z;
    b.classList.toggle("here", mine);
    if (mine) { here = b; b.setAttribute("aria-current", "step"); } else b.removeAttribute("aria-current");
  }
  if (!here) return;
  const box = here.getBoundingClientRect(), view = $("canvas").getBoundingClientRect(), pad = 40;
  if (box.top < view.top + pad || box.bottom > view.bottom - pad || box.left < view.left || box.right > view.right)
    $("canvas").scrollBy({left: box.left + box.width / 2 - view.left - view.width / 2,
      top: box.top + box.height / 2 - view.top - view.height / 2, behavior: calm || fresh ? "auto" : "smooth"});
}

// -- the list: only the rows in view exist --------------------------------------------------------------------------
function list() {
  const el = $("list"), first = Math.max(0, Math.floor(el.scrollTop / ROW) - 5);
  const last = Math.min(rows.length, first + Math.ceil(el.clientHeight / ROW) + 10);
  $("rows").style.height = rows.length * ROW + "px";
  let out = "";
  for (let k = first; k < last; k++) {
    const i = rows[k], s = D.steps[i];
    out += `<div class="row${i >= at ? " later" : ""}${stops.has(i + 1) ? " stop" : ""}${s.norm === "nan" ? " bad" : ""}" role="option"
      id="row${i + 1}" data-p="${i + 1}" aria-selected="${i + 1 === at}" aria-posinset="${k + 1}" aria-setsize="${rows.length}"
      style="top:${k * ROW}px"><i>${i < F ? "→" : "←"} ${i < F ? i + 1 : s.f}</i> ${esc(s.r)}</div>`;
  }
  $("rows").innerHTML = out || (rows.length ? "" : '<p class="note">No step says that.</p>');
  if (rows.includes(at - 1)) el.setAttribute("aria-activedescendant", "row" + at); else el.removeAttribute("aria-activedescendant");
}
function reveal() {
  $("rows").style.height = rows.length * ROW + "px";
  const k = rows.indexOf(at - 1), el = $("list");
  if (k < 0) return;
  if (k * ROW < el.scrollTop || (k + 1) * ROW > el.scrollTop + el.clientHeight) el.scrollTop = k * ROW - el.clientHeight / 2;
}

function go(p, follow = true) {
  at = Math.max(0, Math.min(N, p));
  if (follow && at) {
    const k = scopeOf(place(at));
    if (k !== scope) { scope = k; draw(); }
  }
  light();
  $("card").innerHTML = card();
  $("slider").value = at;
  $("where-now").textContent = at === 0 ? `start, ${N} steps` : at <= F ? `forward ${at} of ${F}` : `backward ${at - F} of ${N - F}`;
  $("slider").setAttribute("aria-valuetext", $("where-now").textContent);
  $("home").disabled = $("back").disabled = at === 0;
  $("end").disabled = $("next").disabled = $("run").disabled = at === N;
  const x = N ? at / N * 1000 : 0;
  $("now").setAttribute("d", `M${x} 0V100`);
  $("bytes-now").textContent = `now: ${bytes(D.kept[Math.min(at, D.kept.length - 1)])}`;
  reveal();
  list();
}
function breaks(p) {
  const norm = D.steps[p - 1].norm, high = parseFloat($("high").value), low = parseFloat($("low").value);
  if (stops.has(p)) return true;
  if (norm === null || norm === undefined) return false;
  if (norm === "nan") return $("nan").checked || high > 0;
  return norm > high || norm < low;
}
function run() {
  let p = at + 1;
  while (p < N && !breaks(p)) p++;
  go(p);
}
function toggleStop(p) { if (p) { stops.has(p) ? stops.delete(p) : stops.add(p); list(); } }
function find(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  rows = [...Array(N).keys()].filter(i => {
    const s = D.steps[i], all = (s.r + " " + D.lines[s.say] + " " + (s.at.length ? D.files[s.at[0]] + ":" + s.at[1] + " " + D.lines[s.at[2]] : "")).toLowerCase();
    return words.every(w => all.includes(w));
  });
  $("list").scrollTop = 0;
  reveal();
  list();
}

$("home").onclick = () => go(0);
$("back").onclick = () => go(at - 1);
$("next").onclick = () => go(at + 1);
$("end").onclick = () => go(N);
$("run").onclick = run;
$("turn").onclick = () => go(F + 1);
$("slider").max = N;
$("slider").oninput = e => go(+e.target.value);
$("search").oninput = e => find(e.target.value);
$("list").onscroll = list;
$("rows").onclick = e => { const r = e.target.closest("[data-p]"); if (r) go(+r.dataset.p); };
$("rows").ondblclick = e => { const r = e.target.closest("[data-p]"); if (r) toggleStop(+r.dataset.p); };
$("crumbs").onclick = e => {
  if (e.target.id === "fold") { detail = !detail; draw(); light(); }
  else if (e.target.dataset.go) open(+e.target.dataset.go);
};
function open(k) { scope = k; draw(); light(); $("canvas").scrollTo(0, 0); }
function press(g) {
  if (g.dataset.o) open(+g.dataset.o);
  else { const p = +g.dataset.s, b = D.steps[p - 1].b; go(at === p && b ? b : at > F && b && at !== b ? b : p, false); }
}
$("canvas").onclick = e => { const g = e.target.closest("[data-s],[data-o]"); if (g) press(g); };
$("bytes").onclick = e => { const r = $("bytes").getBoundingClientRect(); go(Math.round((e.clientX - r.left) / r.width * N)); };
document.addEventListener("keydown", e => {
  if (e.target.matches("input:not([type=range]):not([type=checkbox])")) { if (e.key === "Escape") e.target.blur(); return; }
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  const keys = {ArrowRight: () => go(at + 1), ArrowLeft: () => go(at - 1), ArrowDown: () => go(at + 1), ArrowUp: () => go(at - 1),
    Home: () => go(0), End: () => go(N), PageDown: () => go(at + 10), PageUp: () => go(at - 10), r: run, b: () => go(F + 1),
    ".": () => toggleStop(at), "/": () => $("search").focus(),
    Enter: () => { const g = document.activeElement.closest("[data-s],[data-o]"); if (g) press(g); else if (scopeBox()) press(scopeBox()); },
    Escape: () => { if (D.scopes[scope].p !== null) open(D.scopes[scope].p); }};
  if (e.key === "Enter" && document.activeElement.matches("button,summary")) return;
  if (keys[e.key]) { e.preventDefault(); keys[e.key](); }
});
const scopeBox = () => $("canvas").querySelector(".here[data-o]");
if (D.where.length) $("where").textContent = `${D.files[D.where[0]]}:${D.where[1]}`;
$("leaves").innerHTML = gradients().replace("<h2>Gradients</h2>", "");
addEventListener("resize", list);
detail = Boolean(D.scopes[0].e) && F <= 40;
draw();
const wanted = () => +(location.hash.match(/^#(\d+)$/) || [0, 0])[1];
go(wanted());
addEventListener("hashchange", () => go(wanted()));
fresh = false;
document.documentElement.dataset.ready = Math.round(performance.now());
})();
