// The episodes of a run's report: a list with search and filters, and the conversation of the opened one.
//
// The data lies as JSON in the element "data". Whatever it holds becomes text: elements are
// made by `make`, which knows no HTML. The hash keeps filters and the opened episode, so an address leads back:
//   #stage=grpo&outcome=failed&q=refund&episode=grpo/0/retail-17&beside=sft
"use strict";

(() => {
  const source = document.getElementById("data");
  if (!source) return; // a run without episodes

  const WINDOW = 60; // rows made at a time
  const FILTERS = ["q", "stage", "level", "outcome", "kind"];
  const FATES = { "done": "done", "excused": "not needed", "named": "right tool, other arguments", "not done": "not done" };
  const viewer = document.getElementById("viewer");
  const form = document.getElementById("filters");
  const rows = document.getElementById("rows");
  const opened = document.getElementById("opened");
  const status = viewer.querySelector(".status");

  // --- the data ---------------------------------------------------------------------------------------------

  const data = JSON.parse(source.textContent);
  const texts = data.texts;
  const episodes = data.tasks.flatMap((packed) => {
    const task = unpacked(packed);
    return task.episodes.map((episode) => ({ ...episode, task, key: `${episode.stage}/${episode.trial}/${task.id}` }));
  });
  const byKey = new Map(episodes.map((episode) => [episode.key, episode]));

  function unpacked(value) { // long texts stand in the data once, and by their number elsewhere
    if (Array.isArray(value)) return value.map(unpacked);
    if (value === null || typeof value !== "object") return value;
    if ("$" in value) return texts[value.$];
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, unpacked(inner)]));
  }

  function searchable(episode) {
    if (episode.words === undefined) {
      const said = episode.steps.flatMap((step) => [step.text, step.name, step.arguments, step.answer, step.raw, ...(step.thoughts || [])]);
      const about = [episode.task.id, episode.task.family, episode.failure, episode.ended, episode.error];
      episode.words = [...about, ...said].filter(Boolean).join("\n").toLowerCase();
    }
    return episode.words;
  }

  // --- elements ---------------------------------------------------------------------------------------------

  // what a screen would swallow or turn around is named: control characters, direction marks, half characters
  const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

  function visible(text) {
    const named = (letter) => `⟨U+${letter.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
    return String(text).replace(UNSEEN, named);
  }

  function make(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === true) element.setAttribute(key, "");
      else if (value !== false && value !== undefined && value !== null) element.setAttribute(key, value);
    }
    for (const child of children.flat()) {
      if (child !== null && child !== undefined && child !== false) {
        element.append(child instanceof Node ? child : document.createTextNode(visible(child)));
      }
    }
    return element;
  }

  const words = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

  // JSON on several lines, to the letter: a parser would change numbers that are too long for it
  function laidOut(text) {
    if (!/^\s*[[{]/.test(text) || text.length < 60) return text;
    let result = "", depth = 0, quoted = false;
    const broken = () => `\n${"  ".repeat(Math.max(depth, 0))}`;
    for (let place = 0; place < text.length; place++) {
      const letter = text[place];
      if (quoted) {
        result += letter;
        if (letter === "\\") result += text[++place] ?? "";
        else if (letter === '"') quoted = false;
      } else if (letter === '"') { quoted = true; result += letter; }
      else if ("{[".includes(letter)) {
        const empty = /^\s*[}\]]/.exec(text.slice(place + 1, place + 9));
        if (empty) { result += letter + empty[0].trim(); place += empty[0].length; }
        else { depth++; result += letter + broken(); }
      } else if ("}]".includes(letter)) { depth--; result += broken() + letter; }
      else if (letter === ",") result += letter + broken();
      else if (letter === ":") result += ": ";
      else if (letter.trim()) result += letter;
    }
    return result;
  }

  // --- the state, which lives in the address ----------------------------------------------------------------

  let state = read();
  let found = []; // the episodes the filters leave
  let cursor = 0; // the row the keyboard is at
  let made = 0; // rows that are elements already

  function read() {
    const values = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
    return Object.fromEntries([...FILTERS, "episode", "beside"].map((name) => [name, values.get(name) || ""]));
  }

  function address(changes) {
    const values = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...state, ...changes })) if (value) values.set(name, value);
    return `#${values.toString().replaceAll("%2F", "/") || "episodes"}`;
  }

  function change(changes) { // a filter: no step of its own in the history
    history.replaceState(null, "", address(changes));
    follow();
  }

  function follow() {
    const before = state;
    state = location.hash.includes("=") || !location.hash || location.hash === "#episodes" ? read() : state;
    for (const name of FILTERS) if (form.elements[name].value !== state[name]) form.elements[name].value = state[name];
    if (FILTERS.some((name) => state[name] !== before[name])) list();
    else for (const row of rows.querySelectorAll("a")) addressed(row);
    if (state.episode !== before.episode || state.beside !== before.beside) open(state.episode !== before.episode);
  }

  // --- the list ---------------------------------------------------------------------------------------------

  function list() {
    const wanted = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    found = episodes.filter((episode) =>
      (!state.stage || episode.stage === state.stage) &&
      (!state.level || String(episode.task.level) === state.level) &&
      (!state.outcome || (episode.failure ? "failed" : "solved") === state.outcome) &&
      (!state.kind || episode.failure === state.kind) &&
      wanted.every((word) => searchable(episode).includes(word)));
    status.textContent = found.length === episodes.length ? words(found.length, "episode")
      : `${words(found.length, "episode")} of ${episodes.length.toLocaleString("en")}`;
    rows.replaceChildren();
    rows.scrollTop = 0;
    made = 0;
    cursor = Math.max(0, found.findIndex((episode) => episode.key === state.episode));
    if (!found.length) rows.append(make("li", { class: "row" }, "No episode fits. Clear the search, or choose another filter."));
    grow(cursor + WINDOW);
  }

  function grow(count) { // more rows, as far as they are needed
    const next = found.slice(made, Math.max(count, made)).map((episode, place) => make("li", {}, row(episode, made + place)));
    rows.append(...next);
    made += next.length;
  }

  function row(episode, place) {
    const link = make("a", { class: "row", tabindex: place === cursor ? 0 : -1 },
      make("span", { class: "line" }, make("span", { class: "name" }, episode.task.id), outcome(episode)),
      make("span", { class: "line" }, make("small", {}, about(episode))),
      make("span", { class: "words" }, episode.steps[0].text.slice(0, 300)));
    link.dataset.place = place;
    return addressed(link);
  }

  function addressed(link) {
    const episode = found[link.dataset.place];
    link.href = address({ episode: episode.key });
    if (episode.key === state.episode) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
    return link;
  }

  function about(episode) {
    const trial = episode.task.episodes.filter((other) => other.stage === episode.stage).length > 1;
    return [episode.stage, `level ${episode.task.level}`, trial && `trial ${episode.trial + 1}`, episode.task.family].filter(Boolean).join(" · ");
  }

  function outcome(episode) {
    return make("span", { class: episode.failure ? "pill bad" : "pill good" }, episode.failure || "solved");
  }

  function move(place, focus = true) {
    if (!found.length) return;
    cursor = Math.min(Math.max(place, 0), found.length - 1);
    if (cursor >= made) grow(cursor + WINDOW);
    rows.querySelector("a[tabindex='0']")?.setAttribute("tabindex", "-1");
    const link = rows.children[cursor].firstChild;
    link.setAttribute("tabindex", "0");
    if (focus) link.focus({ preventScroll: true });
    const above = link.offsetTop - rows.offsetTop, below = above + link.offsetHeight - rows.clientHeight;
    if (rows.scrollTop > above) rows.scrollTop = above;
    if (rows.scrollTop < below) rows.scrollTop = below;
  }

  // --- one episode ------------------------------------------------------------------------------------------

  function open(jump) {
    const episode = byKey.get(state.episode);
    opened.replaceChildren();
    if (!episode) {
      const reason = state.episode ? "This page does not show that episode." : "Choose an episode from the list.";
      return void opened.append(make("p", { class: "empty" }, reason));
    }
    const others = [...new Set(episode.task.episodes.filter((one) => one.trial === episode.trial).map((one) => one.stage))];
    const partner = state.beside && byKey.get(`${state.beside}/${episode.trial}/${episode.task.id}`);
    const shown = partner && partner !== episode ? [episode, partner] : [episode];
    shown.sort((one, two) => data.stages.indexOf(one.stage) - data.stages.indexOf(two.stage));
    opened.append(tools(episode, others.filter((stage) => stage !== episode.stage)),
      make("div", { class: shown.length > 1 ? "panes two" : "panes" }, shown.map(pane)));
    const place = found.indexOf(episode);
    if (place >= 0) move(place, false);
    if (jump) opened.scrollIntoView({ block: "start", behavior: "instant" });
  }

  function tools(episode, others) {
    const place = found.indexOf(episode);
    const step = (name, to) => button(name, () => go(found[to].key), place < 0 || !found[to]);
    const select = make("select", { "aria-label": "Side by side with" }, make("option", { value: "" }, "nothing"),
      others.map((stage) => make("option", { value: stage }, stage)));
    select.value = others.includes(state.beside) ? state.beside : "";
    select.addEventListener("change", () => change({ beside: select.value }));
    return make("div", { class: "tools" }, button("Back to the list", leave, false, "back"),
      step("Previous", place - 1), step("Next", place + 1),
      others.length > 0 && make("label", {}, "side by side with", select));
  }

  function button(name, act, disabled, style) {
    const element = make("button", { type: "button", disabled, class: style }, name);
    element.addEventListener("click", act);
    return element;
  }

  function go(key) { location.hash = address({ episode: key }); }

  function pane(episode) {
    const facts = [`level ${episode.task.level}`, `trial ${episode.trial + 1}`, episode.task.family, episode.task.split,
      `ended: ${episode.ended}`, words(episode.calls, "call"), episode.tokens && words(episode.tokens, "token"),
      episode.seconds === null ? "" : `${episode.seconds} s`];
    return make("article", { class: "pane", "aria-label": `${episode.task.id}, ${episode.stage}` },
      make("h3", {}, episode.task.id, " ", make("span", { class: "pill" }, episode.stage), " ", outcome(episode)),
      make("p", { class: "about" }, facts.filter(Boolean).join(" · ")),
      make("div", { class: "talk" }, episode.steps.map(step)),
      episode.error && make("p", { class: "warning" }, `broke off: ${episode.error}`),
      wanted(episode), changes(episode), reward(episode));
  }

  function step(one) {
    const otherwise = one.otherwise && make("p", { class: "reader" }, "the shop answers otherwise today");
    if (one.who === "customer") return said("customer", one.text);
    if (one.who === "agent") return make("div", { class: "said agent" }, who("agent"), thoughts(one), make("div", { class: "text" }, one.text), reader(one), otherwise);
    if (one.who === "unread") {
      return make("div", { class: "unread" }, who("agent", make("span", { class: "wrong" }, "could not be read")), reader(one),
        folded("what was written", one.raw || "(nothing)", true));
    }
    return make("div", { class: one.failed ? "call failed" : "call" }, who("tool call", judgement(one)), thoughts(one),
      make("code", {}, one.name), make("pre", { class: "arguments" }, laidOut(one.arguments)),
      reader(one), otherwise, folded(one.failed ? "error" : "answer", one.answer, one.failed));
  }

  function said(name, text) {
    return make("div", { class: `said ${name}` }, who(name), make("div", { class: "text" }, text));
  }

  function who(name, note) { return make("div", { class: "who" }, make("span", {}, name), note); }

  function thoughts(one) {
    return one.thoughts && make("details", { class: "thoughts" }, make("summary", {}, "thoughts"),
      one.thoughts.map((text) => make("div", { class: "text" }, text)));
  }

  function reader(one) {
    return one.reader && one.reader.map((reason) => make("p", { class: "reader" }, `strict reader: ${reason}`));
  }

  function folded(name, text, open) {
    const size = text.length > 200 ? ` (${words(text.length, "character")})` : "";
    return make("details", { open }, make("summary", {}, name + size), make("pre", {}, text ? laidOut(text) : "(empty)"));
  }

  function judgement(one) {
    if (one.right) return make("span", { class: "right" }, `gold action ${one.right}`);
    if (one.named) return make("span", {}, `gold action ${one.named}, by its name only`);
    return one.wrong && make("span", { class: "wrong" }, one.wrong);
  }

  // --- what was wanted, what changed, what it earned ----------------------------------------------------------

  function wanted(episode) {
    const gold = episode.task.gold.map((action, place) => make("li", {}, `${place + 1}. `, make("code", {}, action.name),
      " ", make("code", {}, action.arguments), " ", fate(episode.gold[place])));
    const told = episode.task.outputs.map((output) => make("li", {}, `tell the customer: ${output} `,
      fate(episode.untold.includes(output) ? "not done" : "done")));
    return [make("h4", {}, "Gold actions"), make("ol", { class: "gold" }, gold, told,
      !gold.length && !told.length && make("li", {}, "none: nothing is to be done"))];
  }

  function fate(name) {
    return make("span", { class: { "done": "right", "not done": "wrong" }[name] || "" }, FATES[name]);
  }

  function changes(episode) {
    if (!episode.changes) return [make("h4", {}, "Changes in the shop"), make("p", { class: "note" }, "This record does not hold them.")];
    if (!episode.changes.length) return [make("h4", {}, "Changes in the shop"), make("p", { class: "note" }, "None, and none are wanted.")];
    const lines = episode.changes.map(([record, field, before, after, gold]) => make("tr", {},
      make("th", { scope: "row" }, `${record} ${field}`), make("td", {}, before),
      make("td", { class: after === gold ? "right" : "wrong" }, after ?? "unchanged"), make("td", {}, gold ?? "unchanged")));
    return [make("h4", {}, "Changes in the shop"), table(["field", "before", "after", "wanted"], lines)];
  }

  function reward(episode) {
    const profiles = [...new Set(episode.terms.map(([profile]) => profile))];
    const lines = profiles.flatMap((profile) => {
      const own = episode.terms.filter(([name]) => name === profile);
      const sum = own.reduce((total, [, , , value]) => total + value, 0);
      return [...own.map(([, name, count, value]) => earned(name, String(count), value)), earned(`${profile} in all`, "", sum, "sum")];
    });
    return [make("h4", {}, "Reward"), table(["term", "times", "value"], lines, "number")];
  }

  function earned(name, count, value, style) {
    const signed = value ? (value > 0 ? "+" : "−") + Math.abs(value).toFixed(2) : "0";
    return make("tr", { class: style }, make("th", { scope: "row" }, name.replaceAll("_", " ")), make("td", { class: "number" }, count),
      make("td", { class: "number" }, signed));
  }

  function table(heads, lines, style) {
    const titles = heads.map((head, place) => make("th", { scope: "col", class: place ? style : undefined }, head));
    return make("table", { class: "facts" }, make("thead", {}, make("tr", {}, titles)), make("tbody", {}, lines));
  }

  // --- keyboard and mouse -------------------------------------------------------------------------------

  function leave() { // out of the search or the conversation; from the list, out of two panes, then of the episode
    const away = form.contains(document.activeElement) || opened.contains(document.activeElement);
    if (!away && state.beside) change({ beside: "" });
    else if (!away && state.episode) change({ episode: "" });
    move(cursor);
    if (matchMedia("(max-width: 56rem)").matches) viewer.scrollIntoView({ block: "start", behavior: "instant" });
  }

  const KEYS = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input, select, textarea");
    const arrow = event.key.startsWith("Arrow");
    if (event.key === "Escape" && viewer.contains(event.target)) leave();
    else if (event.key === "/" && !typing) form.elements.q.focus();
    else if (event.key === "Enter" && event.target === form.elements.q) move(0);
    else if (event.key === "ArrowDown" && event.target === form.elements.q) move(cursor);
    else if (event.key in KEYS && !typing && (!arrow || rows.contains(event.target))) {
      move(rows.contains(event.target) ? cursor + KEYS[event.key] : cursor);
    } else return;
    event.preventDefault();
  });

  let waiting;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => change(Object.fromEntries(FILTERS.map((name) => [name, form.elements[name].value]))), 100);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  rows.addEventListener("scroll", () => {
    if (rows.scrollTop + rows.clientHeight > rows.scrollHeight - 600) grow(made + WINDOW);
  });
  rows.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (link) move(Number(link.dataset.place), false);
  });
  addEventListener("hashchange", follow);

  // --- the beginning ----------------------------------------------------------------------------------------

  function choices(name, values, every, label = (value) => value) {
    const options = values.map((value) => make("option", { value }, label(value)));
    form.elements[name].replaceChildren(make("option", { value: "" }, every), ...options);
  }

  const levels = [...new Set(episodes.map((episode) => episode.task.level))].sort((one, two) => one - two);
  choices("stage", data.stages, "all");
  choices("level", levels.map(String), "all", (level) => `level ${level}`);
  choices("outcome", ["solved", "failed"], "solved and failed");
  choices("kind", data.kinds.filter((kind) => episodes.some((episode) => episode.failure === kind)), "any");
  viewer.hidden = false;
  for (const name of FILTERS) form.elements[name].value = state[name];
  list();
  const asked = Boolean(state.episode);
  if (!asked && found.length) state.episode = found[0].key; // something to look at
  list();
  open(asked);
})();
