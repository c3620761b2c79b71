"use strict";
(() => {
  const nodes = JSON.parse(document.getElementById("facts").textContent);
  const panel = document.getElementById("details");
  const drawing = document.getElementById("drawing");
  const boxes = [...drawing.querySelectorAll(".node")];
  const ways = [...drawing.querySelectorAll(".way")];
  const narrow = window.matchMedia("(max-width: 760px)");

  const made = (kind, text) => {
    const element = document.createElement(kind);
    element.textContent = text; // never as markup: names come from files
    return element;
  };

  const neighbours = (list, title, numbers) => {
    if (!numbers.length) return;
    const cell = document.createElement("dd");
    for (const number of numbers) {
      const button = made("button", nodes[number].name);
      button.type = "button";
      button.addEventListener("click", () => choose(number, true));
      cell.append(button);
    }
    list.append(made("dt", title), cell);
  };

  const choose = (number, scroll) => {
    const node = nodes[number];
    const list = document.createElement("dl");
    for (const [what, text] of node.rows) list.append(made("dt", what), made("dd", text));
    neighbours(list, "reads", node.reads);
    neighbours(list, "read by", node.readers);
    panel.replaceChildren(made("h3", node.name), list);
    for (const box of boxes) box.classList.toggle("chosen", box.dataset.node === String(number));
    for (const way of ways) {
      const ends = [way.dataset.from, way.dataset.to];
      way.classList.toggle("near", ends.includes(String(number)));
    }
    if (scroll) boxes[number].scrollIntoView({ block: "center", inline: "center" });
    else if (narrow.matches) panel.scrollIntoView({ block: "nearest" });
  };

  drawing.addEventListener("click", (event) => {
    const box = event.target.closest(".node");
    if (box) choose(Number(box.dataset.node), false);
  });
  drawing.addEventListener("keydown", (event) => {
    const box = event.target.closest(".node");
    if (!box || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    choose(Number(box.dataset.node), false);
  });

  const find = (event) => {
    event.preventDefault();
    const wanted = document.getElementById("wanted").value;
    if (!wanted) return;
    let number = nodes.findIndex((node) => node.name === wanted);
    if (number < 0 && event.type === "submit") {
      number = nodes.findIndex((node) => node.name.includes(wanted));
    }
    if (number >= 0) choose(number, true);
  };
  document.getElementById("find").addEventListener("submit", find);
  document.getElementById("wanted").addEventListener("input", find);

  const size = [drawing.width.baseVal.value, drawing.height.baseVal.value];
  let scale = 1;
  const zoom = (factor) => {
    scale = Math.min(2, Math.max(0.2, scale * factor));
    drawing.setAttribute("width", size[0] * scale);
    drawing.setAttribute("height", size[1] * scale);
  };
  const canvas = document.getElementById("canvas");
  zoom(Math.min(1, Math.max(0.55, (canvas.clientWidth - 4) / size[0])));
  canvas.scrollLeft = (canvas.scrollWidth - canvas.clientWidth) / 2;
  document.getElementById("smaller").addEventListener("click", () => zoom(0.8));
  document.getElementById("larger").addEventListener("click", () => zoom(1.25));
})();
