// Steps through the schedules of a page. Without it the same is there, as pictures and tables.
"use strict";
(() => {
  class Viewer {
    constructor(section) {
      this.section = section;
      this.anchor = section.dataset.anchor;
      this.articles = [...section.querySelectorAll("article[data-step]")];
      this.atomic = [...section.querySelectorAll("details.atomic tr[data-row]")];
      this.blocks = [...section.querySelectorAll(".sources .block")];
      this.range = section.querySelector("input[type=range]");
      this.everyStep = section.querySelector("input[type=checkbox]");
      this.output = section.querySelector("output");
      this.slot = section.querySelector(".slot");
      section.querySelector(".viewer").hidden = false;
      this.range.addEventListener("input", () => this.go(Number(this.range.value)));
      this.everyStep.addEventListener("change", () => this.change(this.everyStep.checked));
      for (const button of section.querySelectorAll("[data-go]")) {
        button.addEventListener("click", () => this.move(button.dataset.go === "next" ? 1 : -1));
      }
      this.show(this.articles.length, false);
    }

    get count() { return this.isAtomic ? this.atomic.length : this.articles.length; }

    // Goes to a step as if the user had followed a link to it, but without filling the history.
    go(number) {
      const wanted = Math.min(Math.max(number, 1), this.count);
      const kind = this.isAtomic ? "atomic" : "step";
      history.replaceState(null, "", `#${this.anchor}${kind}=${wanted}`);
      this.show(wanted, this.isAtomic);
    }

    move(by) { this.go(this.number + by); }

    // Goes on with every atomic step, or with those that people tell, at the same place.
    change(toAtomic) {
      const row = this.row;
      const rows = this.atomic.map((each) => Number(each.dataset.row));
      const number = toAtomic ? rows.lastIndexOf(row) + 1 : row;
      this.isAtomic = toAtomic;
      this.go(number);
    }

    show(number, isAtomic) {
      const steps = isAtomic ? this.atomic : this.articles;
      const step = steps[number - 1];
      if (!step) return;
      this.number = number;
      this.isAtomic = isAtomic;
      this.row = isAtomic ? Number(step.dataset.row) : number;
      this.everyStep.checked = isAtomic;
      this.range.max = steps.length;
      this.range.value = number;
      const name = isAtomic ? "Atomic step" : "Step";
      this.output.textContent = `${name} ${number} of ${steps.length}`;
      this.range.setAttribute("aria-valuetext", this.output.textContent);
      this.tell(step, isAtomic);
      this.draw(step, isAtomic);
      this.point(step);
      for (const one of this.section.querySelectorAll("svg a[data-step], table.steps tr[data-step]")) {
        one.classList.toggle("current", Number(one.dataset.step) === this.row);
      }
      for (const [index, row] of this.atomic.entries()) {
        row.classList.toggle("current", isAtomic && index === number - 1);
      }
    }

    tell(step, isAtomic) {
      const put = (name, text) => { this.section.querySelector(`.now .${name}`).textContent = text; };
      const article = this.articles[this.row - 1];
      const read = (name) => article.querySelector(`:scope > .${name}`)?.textContent ?? "";
      if (isAtomic) {
        const cells = [...step.cells].map((cell) => cell.textContent);
        const change = step.querySelector(".change")?.textContent ?? "";
        put("what", `CPU ${cells[2]}, ${cells[3]}: ${step.querySelector("code").textContent}`);
        put("statement", [cells[4], change].filter(Boolean).join(" — "));
      } else {
        put("what", `${article.querySelector("h3").textContent.replace(/^[^:]*: /, "")}: ${read("what")}`);
        put("statement", read("statement"));
      }
      put("wrong-text", read("wrong-text"));
    }

    draw(step, isAtomic) {
      const number = isAtomic ? step.dataset.frame : step.querySelector("figure").dataset.frame;
      const figure = this.section.querySelector(`.told figure[data-frame="${number}"], .atomic figure[data-frame="${number}"]`);
      this.slot.replaceChildren(figure.cloneNode(true));
    }

    // Shows the line that is executed, with its function.
    point(step) {
      for (const line of this.section.querySelectorAll(".sources li.current")) line.classList.remove("current");
      if (!("block" in step.dataset)) {
        if (!this.blocks.some((block) => block.classList.contains("current"))) this.blocks[0]?.classList.add("current");
        return;
      }
      for (const block of this.blocks) {
        const isIt = block.dataset.block === step.dataset.block;
        block.classList.toggle("current", isIt);
        if (!isIt) continue;
        const line = block.querySelector(`li[value="${step.dataset.line}"]`);
        const list = block.querySelector(".scroll");
        line.classList.add("current");
        list.scrollTop = line.offsetTop - list.firstElementChild.offsetTop - list.clientHeight / 2;
      }
    }
  }

  const sections = [...document.querySelectorAll("section.schedule")];
  if (!sections.length) return;
  document.documentElement.classList.add("js");
  const viewers = sections.map((each) => new Viewer(each));
  let active = viewers[0];

  const follow = () => {
    const found = /^#((?:violation=\d+&)?)(step|atomic)=(\d+)$/.exec(location.hash);
    const viewer = found && viewers.find((each) => each.anchor === found[1]);
    if (!viewer) return;
    active = viewer;
    viewer.show(Number(found[3]), found[2] === "atomic");
    if (viewer !== viewers[0]) viewer.section.scrollIntoView();
  };
  window.addEventListener("hashchange", follow);
  for (const viewer of viewers) viewer.section.addEventListener("pointerdown", () => { active = viewer; });

  document.addEventListener("keydown", (event) => {
    const isElsewhere = event.target.closest?.("input[type=range], .scroll:focus");
    if (isElsewhere || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const moves = { ArrowLeft: () => active.move(-1), ArrowRight: () => active.move(1), Home: () => active.go(1), End: () => active.go(active.count) };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  });
  follow();
})();
