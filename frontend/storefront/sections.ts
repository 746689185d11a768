/** What moves in the sections of a page: carousels and countdowns. Both read well without it. */
import { countdownParts } from "../shared/time.ts";
import { each, makeIcon, word } from "../shared/words.ts";

const TURN_MS = 5000;

function startSlides(root: HTMLElement): void {
  const track = root.querySelector<HTMLElement>(".slides-track");
  const slides = [...root.querySelectorAll<HTMLElement>(".slide")];
  if (!track || slides.length < 2) return;
  const now = () => Math.round(track.scrollLeft / track.clientWidth);
  const go = (index: number) => track.scrollTo({ left: ((index + slides.length) % slides.length) * track.clientWidth, behavior: "smooth" });
  const bar = document.createElement("div");
  bar.className = "slides-dots";
  const dots = slides.map((_slide, index) => {
    const dot = document.createElement("button");
    dot.type = "button";
    dot.className = "slides-dot";
    dot.setAttribute("aria-label", word("slide", { number: index + 1 }));
    dot.addEventListener("click", () => go(index));
    return dot;
  });
  bar.append(...dots);
  root.append(bar);
  const mark = () => dots.forEach((dot, index) => dot.setAttribute("aria-current", String(index === now())));
  track.addEventListener("scroll", mark, { passive: true });
  mark();
  if (root.dataset["moves"] === undefined || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  let isPaused = false;
  const pause = document.createElement("button");
  pause.type = "button";
  pause.className = "slides-pause";
  const show = () => {
    pause.replaceChildren(makeIcon(isPaused ? "player-play" : "player-pause", "icon-sm"));
    pause.setAttribute("aria-label", word(isPaused ? "slidesGo" : "slidesStop"));
  };
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    show();
  });
  show();
  bar.append(pause);
  setInterval(() => {
    const isBusy = isPaused || document.hidden || root.matches(":hover, :focus-within");
    if (!isBusy) go(now() + 1);
  }, TURN_MS);
}

function startCountdown(clock: HTMLElement): void {
  const until = Date.parse(clock.dataset["until"] ?? "");
  if (Number.isNaN(until)) return;
  const draw = () => {
    const left = until - Date.now();
    if (left <= 0) {
      clock.textContent = clock.dataset["over"] ?? "";
      clearInterval(timer);
      return;
    }
    const parts = countdownParts(left);
    clock.replaceChildren(
      ...(["days", "hours", "minutes", "seconds"] as const).flatMap((name) => {
        if (name === "days" && parts.days === 0) return [];
        const figure = document.createElement("b");
        figure.textContent = String(parts[name]).padStart(2, "0");
        const unit = document.createElement("i");
        unit.textContent = word(`unit${name[0]?.toUpperCase()}${name.slice(1)}`);
        return [figure, unit];
      }),
    );
  };
  const timer = setInterval(draw, 1000);
  clock.setAttribute("role", "timer");
  draw();
}

/** Load the player of a film where its picture stood, once somebody wants it. */
function startFilm(film: HTMLElement): void {
  film.querySelector("a")?.addEventListener("click", (event) => {
    event.preventDefault();
    const player = document.createElement("iframe");
    player.src = film.dataset["player"] ?? "";
    player.allow = "autoplay; fullscreen";
    player.title = film.innerText;
    film.replaceChildren(player);
    player.focus();
  });
}

export function startSections(): void {
  each<HTMLElement>("[data-slides]", startSlides);
  each<HTMLElement>("[data-until]", startCountdown);
  each<HTMLElement>("[data-player]", startFilm);
}
