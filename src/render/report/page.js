// Filters, sorting, zoom and details. All that is said on the page is in its HTML already: this moves and hides it.
"use strict";
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const make = (tag, properties = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in element) element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };
  const say = (text) => { one("#said").textContent = text; };
  const press = (button, isOn) => button.setAttribute("aria-pressed", String(isOn));
  document.documentElement.classList.add("has-js");

  // Colours: as the system has them, until someone chooses.
  const themes = one(".themes");
  const inDark = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules])
    .filter((rule) => rule instanceof CSSMediaRule && rule.media.mediaText.includes("prefers-color-scheme"));
  const choices = [["Auto", "light dark"], ["Light", "light"], ["Dark", "dark"]].map(([name, scheme]) => {
    const button = make("button", { type: "button", textContent: name });
    button.addEventListener("click", () => {
      document.documentElement.style.colorScheme = scheme;
      // The picture asks the system, and so has to be told.
      for (const rule of inDark) {
        rule.media.mediaText = { "light": "not all", "dark": "all" }[scheme] ?? "(prefers-color-scheme: dark)";
      }
      choices.forEach((other) => press(other, other === button));
    });
    return button;
  });
  choices.forEach((button, number) => press(button, number === 0));
  themes.append(...choices);
  themes.hidden = false;

  const eventsOf = new Map();
  for (const row of all(".events tbody tr[data-i]")) {
    const known = eventsOf.get(row.dataset.i);
    if (known) known.push(row);
    else eventsOf.set(row.dataset.i, [row]);
  }

  const search = (label, apply) => {
    const input = make("input", { type: "search", placeholder: label, "aria-label": label, autocomplete: "off", spellcheck: false });
    let waiting = 0;
    input.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => apply(input.value.trim().toLowerCase()), 80);
    });
    return input;
  };

  const lanes = one(".lanes");
  if (lanes) {
    const body = one("tbody", lanes);
    const rows = [...body.rows];
    const tools = one("#lane-tools");
    const details = one("#details");
    const frame = one("#lanes");
    const shown = () => [...body.rows].filter((row) => !row.hidden);

    // Each row has one button, and only one of them is in the order of tabs: arrow keys lead to the others.
    const buttonOf = (row) => one("button", row);
    let current = rows[0];
    for (const row of rows) {
      const head = row.cells[0];
      const button = make("button", { type: "button", tabIndex: -1, "aria-expanded": "false", "aria-controls": "details" });
      button.append(...head.childNodes);
      head.append(button);
    }
    const go = (row, focus = true) => {
      if (!row) return;
      buttonOf(current).tabIndex = -1;
      current = row;
      buttonOf(row).tabIndex = 0;
      if (focus) buttonOf(row).focus();
    };
    go(current, false);

    // Details of one instance.
    let opened = null;
    const close = () => {
      if (!opened) return;
      const row = opened;
      opened = null;
      row.classList.remove("open");
      buttonOf(row).setAttribute("aria-expanded", "false");
      details.hidden = true;
      if (!row.hidden) go(row);
    };
    const open = (row) => {
      if (opened) {
        opened.classList.remove("open");
        buttonOf(opened).setAttribute("aria-expanded", "false");
      }
      opened = row;
      go(row, false);
      row.classList.add("open");
      buttonOf(row).setAttribute("aria-expanded", "true");
      const small = one("small", row.cells[0]);
      const named = [...buttonOf(row).childNodes].filter((node) => node !== small);
      one("#details-title").textContent = named.map((node) => node.textContent).join("");
      const list = make("dl");
      const add = (term, value) => { if (value) list.append(make("dt", { textContent: term }), make("dd", { textContent: value })); };
      add("Instance", small && small.textContent);
      add("Outcome", row.cells[1].lastChild.textContent);
      add("Took", row.cells[2].textContent);
      add("In words", one(".told", row).textContent);
      const steps = make("ol");
      for (const event of eventsOf.get(row.dataset.i) ?? []) {
        const item = make("li", {}, make("span", { textContent: event.cells[0].textContent }), make("span", { textContent: event.cells[2].textContent }));
        const id = event.cells[3].textContent.trim();
        if (id) item.append(make("code", { textContent: "request " + id }));
        steps.append(item);
      }
      const parts = [list];
      if (steps.childElementCount) parts.push(make("h3", { textContent: "Events" }), steps);
      one(".body", details).replaceChildren(...parts);
      details.hidden = false;
      details.scrollTop = 0;
      details.focus();
    };
    one(".close", details).addEventListener("click", close);
    body.addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (!row) return;
      if (row === opened) close();
      else open(row);
    });
    body.addEventListener("pointerover", (event) => {
      const cell = event.target.closest("td.l");
      if (cell && !cell.title) cell.title = one(".told", cell).textContent;
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && opened) {
        event.preventDefault();
        close();
      }
    });
    body.addEventListener("keydown", (event) => {
      const visible = shown();
      const at = visible.indexOf(event.target.closest("tr"));
      const to = {
        ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 10, PageUp: at - 10, Home: 0, End: visible.length - 1,
      }[event.key];
      if (to === undefined || at < 0) return;
      event.preventDefault();
      go(visible[Math.max(0, Math.min(visible.length - 1, to))]);
    });

    // Which instances are shown.
    const hiddenKinds = new Set();
    let word = "";
    let onlyPath = false;
    const filter = () => {
      for (const row of rows) {
        row.hidden = hiddenKinds.has(row.classList[0]) || (onlyPath && !("c" in row.dataset)) ||
          (word !== "" && !row.cells[0].textContent.toLowerCase().includes(word));
      }
      const visible = shown();
      if (current.hidden && visible[0]) go(visible[0], false);
      if (opened && opened.hidden) close();
      say(`${visible.length} of ${rows.length} instances shown`);
    };
    const kinds = new Map();
    for (const row of rows) {
      const kind = row.classList[0];
      if (!kinds.has(kind)) kinds.set(kind, { number: 0, sign: row.cells[1].firstChild.textContent, word: row.cells[1].lastChild.textContent });
      kinds.get(kind).number += 1;
    }
    const toggles = make("div", { className: "group kinds", role: "group", "aria-label": "Show by outcome" });
    if (kinds.size > 1) {
      for (const [kind, { number, sign, word: name }] of kinds) {
        const button = make("button", { type: "button", className: kind, "data-kind": kind },
          make("span", { className: "g", "aria-hidden": "true", textContent: sign }), `${name} ${number}`);
        press(button, true);
        button.addEventListener("click", () => {
          if (!hiddenKinds.delete(kind)) hiddenKinds.add(kind);
          press(button, !hiddenKinds.has(kind));
          filter();
        });
        toggles.append(button);
      }
    }
    const path = make("button", { type: "button", textContent: "Critical path only" });
    press(path, false);
    path.addEventListener("click", () => {
      onlyPath = !onlyPath;
      press(path, onlyPath);
      filter();
    });

    // How much of the time is in view.
    let zoom = 1;
    const zooming = make("div", { className: "group", role: "group", "aria-label": "Zoom of the timeline" });
    const setZoom = (to) => {
      const head = [...lanes.tHead.rows[0].cells].slice(0, 3).reduce((sum, cell) => sum + cell.offsetWidth, 0);
      const view = frame.clientWidth - head;
      const middle = (frame.scrollLeft + view / 2) / (view * zoom);
      zoom = Math.max(1, Math.min(32, to));
      lanes.classList.toggle("zoomed", zoom > 1);
      lanes.style.width = zoom === 1 ? "" : `${head + view * zoom}px`;
      frame.scrollLeft = middle * view * zoom - view / 2;
      say(zoom === 1 ? "the whole time is shown" : `zoomed ${zoom} times`);
    };
    for (const [label, text, to] of [["Zoom out", "−", () => zoom / 2], ["Show the whole time", "Fit", () => 1], ["Zoom in", "+", () => zoom * 2]]) {
      const button = make("button", { type: "button", textContent: text, "aria-label": label, title: label });
      button.addEventListener("click", () => setZoom(to()));
      zooming.append(button);
    }
    tools.append(search("Find an instance", (text) => { word = text; filter(); }), toggles);
    if (rows.some((row) => "c" in row.dataset)) tools.append(path);
    tools.append(make("span", { className: "gap" }), zooming);
    tools.hidden = false;

    // Sorting by a column.
    const numberOf = new Map(rows.map((row, number) => [row, number]));
    const keys = [
      (row) => row.cells[0].textContent,
      (row) => row.cells[1].lastChild.textContent,
      (row) => -Number(row.cells[2].dataset.n),
    ];
    const heads = [...lanes.tHead.rows[0].cells].slice(0, 3);
    heads.forEach((head, column) => {
      const button = make("button", { type: "button", textContent: head.textContent });
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const state = head.getAttribute("aria-sort");
        const next = state === null ? "ascending" : state === "ascending" ? "descending" : null;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        if (next) head.setAttribute("aria-sort", next);
        const key = next ? keys[column] : (row) => numberOf.get(row);
        const sign = next === "descending" ? -1 : 1;
        const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
        const sorted = [...rows].sort((a, b) => sign * compare(key(a), key(b)) || numberOf.get(a) - numberOf.get(b));
        body.append(...sorted);
        say(next ? `sorted by ${button.textContent}, ${next}` : "in the order of turns");
      });
    });
  }

  const events = one(".events tbody");
  if (events) {
    const rows = [...events.rows];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    let word = "";
    let onlyTrouble = false;
    const filter = () => {
      let number = 0;
      rows.forEach((row, at) => {
        row.hidden = (onlyTrouble && !row.className) || (word !== "" && !texts[at].includes(word));
        if (!row.hidden) number += 1;
      });
      say(`${number} of ${rows.length} events shown`);
    };
    const trouble = make("button", { type: "button", textContent: "Only what deserves a look" });
    press(trouble, false);
    trouble.addEventListener("click", () => {
      onlyTrouble = !onlyTrouble;
      press(trouble, onlyTrouble);
      filter();
    });
    const tools = one("#event-tools");
    tools.append(search("Find in the events", (text) => { word = text; filter(); }));
    if (rows.some((row) => row.className) && rows.some((row) => !row.className)) tools.append(trouble);
    tools.hidden = false;
  }
})();
