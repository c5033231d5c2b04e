"use strict";
(() => {
  const form = document.querySelector(".filters");
  const find = document.getElementById("find");
  const group = document.getElementById("group");
  const differ = document.getElementById("differ");
  const shown = document.getElementById("shown");
  const rows = [...document.querySelectorAll(".cases tr[data-f]")].map((tr) => ({
    tr, text: tr.dataset.f, group: tr.parentNode.id, cells: [...tr.querySelectorAll("td[data-c]")].map((td) => td.classList.contains("v") ? td.classList[1] : ""),
  }));
  const verdicts = [...document.getElementsByName("verdict")];
  const columns = [...document.getElementsByName("column")];
  let visible = []; // by column
  form.hidden = false;
  form.addEventListener("submit", (e) => e.preventDefault());

  const apply = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(verdicts.filter((v) => v.checked).map((v) => v.value));
    visible = columns.length ? columns.map((c) => c.checked) : [true];
    document.querySelectorAll("[data-c]").forEach((td) => { td.hidden = !visible[td.dataset.c]; });
    let count = 0;
    const alive = new Set();
    for (const r of rows) {
      const cells = r.cells.filter((c, i) => visible[i] && c);
      const keep = cells.some((c) => wanted.has(c)) && (!group.value || r.group === group.value) && words.every((w) => r.text.includes(w)) &&
        !(differ && differ.checked && new Set(cells).size < 2);
      r.tr.hidden = !keep;
      if (keep) { count++; alive.add(r.group); }
    }
    document.querySelectorAll(".cases tbody").forEach((b) => { b.hidden = !alive.has(b.id); });
    shown.textContent = `${count} of ${rows.length} cases`;
  };
  form.addEventListener("input", apply);

  const step = (by, want) => {
    const list = rows.filter((r) => !r.tr.hidden);
    const here = list.findIndex((r) => r.tr.contains(document.activeElement));
    let i = here < 0 ? (by > 0 ? 0 : list.length - 1) : here + by;
    for (; i >= 0 && i < list.length; i += by) {
      if (want(list[i])) {
        const link = list[i].tr.querySelector("a");
        link.focus();
        link.scrollIntoView({ block: "nearest" });
        return;
      }
    }
  };
  const any = () => true;
  const bad = (r) => r.cells.some((c, i) => visible[i] && c === "bad");
  const keys = { j: () => step(1, any), k: () => step(-1, any), n: () => step(1, bad), p: () => step(-1, bad), "/": () => find.focus(), r: () => { form.reset(); apply(); } };
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.target.matches("input, select")) {
      if (e.key === "Escape") e.target.blur();
      return;
    }
    if (Object.hasOwn(keys, e.key)) {
      e.preventDefault();
      keys[e.key]();
    }
  });
  apply();
})();
