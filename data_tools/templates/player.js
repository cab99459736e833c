"use strict";
// Shows one instant of one episode at a time; everything it needs is in the page already.
for (const player of document.querySelectorAll(".player")) {
  const choice = player.querySelector("select");
  const slider = player.querySelector("input");
  const button = player.querySelector("button");
  const clock = player.querySelector("output");
  const episodes = [...player.querySelectorAll(".episode")];
  let timer = null;

  const episode = () => episodes[choice.selectedIndex];

  function show(at) {
    const shown = episode();
    const instants = shown.dataset.instants.split(" ").map(Number);
    slider.max = instants.length - 1;
    slider.value = at;
    const share = instants.length > 1 ? at / (instants.length - 1) : 0;
    for (const view of shown.querySelectorAll(".view")) {
      const columns = Number(view.dataset.columns), rows = Number(view.dataset.rows);
      const across = columns > 1 ? (at % columns) / (columns - 1) : 0;
      const down = rows > 1 ? Math.floor(at / columns) / (rows - 1) : 0;
      view.style.backgroundPosition = `${100 * across}% ${100 * down}%`;
    }
    for (const line of shown.querySelectorAll(".cursor")) {
      const x = share * line.ownerSVGElement.viewBox.baseVal.width;
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
    }
    const seconds = instants[at] * Number(shown.dataset.seconds);
    clock.textContent = `step ${instants[at]} of ${instants[instants.length - 1]} · ${seconds.toFixed(2)} s`;
  }

  function stop() {
    clearTimeout(timer);
    timer = null;
    button.textContent = "Play";
  }

  function tick() {
    const instants = episode().dataset.instants.split(" ").map(Number);
    const at = Number(slider.value);
    if (at + 1 >= instants.length) {
      stop();
      return;
    }
    show(at + 1);
    timer = setTimeout(tick, 1000 * (instants[at + 1] - instants[at]) * Number(episode().dataset.seconds));
  }

  button.addEventListener("click", () => {
    if (timer !== null) {
      stop();
      return;
    }
    if (Number(slider.value) >= Number(slider.max)) show(0);
    button.textContent = "Pause";
    tick();
  });
  slider.addEventListener("input", () => {
    stop();
    show(Number(slider.value));
  });
  choice.addEventListener("change", () => {
    stop();
    episodes.forEach((one, number) => { one.hidden = number !== choice.selectedIndex; });
    show(0);
  });
  show(0);
}
