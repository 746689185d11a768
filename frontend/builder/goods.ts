/** Choosing goods of the shop: searched, ticked, put in order. */
import { formatYuan } from "../shared/money.ts";
import { get } from "./calls.ts";
import { button, make, openSheet, say, textButton } from "./dom.ts";

interface Goods {
  id: number;
  title: string;
  price_amount: number;
  image_url: string;
}

let url = "";
const known = new Map<number, Goods>();

export function startGoods(address: string): void {
  url = address;
}

async function load(query: string): Promise<Goods[]> {
  const answer = await get(`${url}?${query}`);
  const items = (answer.data["items"] ?? []) as Goods[];
  for (const item of items) known.set(item.id, item);
  return items;
}

/** Show the goods of some ids as short lines. */
export function goodsLine(ids: readonly number[]): HTMLElement {
  const list = make("ul", { class: "goods-lines" });
  const fill = () => list.replaceChildren(...ids.map((id) => make("li", {}, known.get(id)?.title ?? say("gone_goods"))));
  if (ids.some((id) => !known.has(id))) void load(`ids=${ids.join(",")}`).then(fill);
  fill();
  return list;
}

/** Let a person choose up to `most` goods; undefined when they close the sheet. */
export function chooseGoods(ids: readonly number[], most: number): Promise<number[] | undefined> {
  return new Promise((resolve) => {
    let chosen = [...ids];
    let result: number[] | undefined;
    const search = make("input", { class: "input", type: "search", placeholder: say("search_goods"), "aria-label": say("search_goods"), maxlength: "60" });
    const found = make("div", { class: "goods-found" });
    const picked = make("ol", { class: "goods-picked" });
    const showPicked = () => {
      picked.replaceChildren(
        ...chosen.map((id, index) => {
          const move = (to: number) => {
            if (to < 0 || to >= chosen.length) return;
            const [moved] = chosen.splice(index, 1);
            if (moved !== undefined) chosen.splice(to, 0, moved);
            showPicked();
          };
          return make("li", { class: "row" }, make("span", { class: "grow clip" }, known.get(id)?.title ?? say("gone_goods")), button("chevron-up", say("up"), () => move(index - 1)), button("chevron-down", say("down"), () => move(index + 1)), button("x", say("remove"), () => toggle(id)));
        }),
      );
    };
    const toggle = (id: number) => {
      if (chosen.includes(id)) chosen = chosen.filter((each) => each !== id);
      else chosen = most === 1 ? [id] : [...chosen, id].slice(0, most);
      showPicked();
      for (const input of found.querySelectorAll<HTMLInputElement>("input")) input.checked = chosen.includes(Number(input.value));
    };
    const show = async () => {
      const items = await load(`q=${encodeURIComponent(search.value)}`);
      found.replaceChildren(
        ...items.map((item) => {
          const input = make("input", { type: most === 1 ? "radio" : "checkbox", name: "goods", value: String(item.id) });
          input.checked = chosen.includes(item.id);
          input.addEventListener("change", () => toggle(item.id));
          return make("label", { class: "goods-option" }, input, make("img", { src: item.image_url, alt: "", width: "48", height: "36", loading: "lazy" }), make("span", { class: "grow clip" }, item.title), make("span", { class: "muted" }, `¥${formatYuan(item.price_amount)}`));
        }),
      );
      if (!items.length) found.append(make("p", { class: "muted" }, say("nothing")));
    };
    let timer = 0;
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = window.setTimeout(() => void show(), 200);
    });
    const go = textButton(say("done"), () => {
      result = chosen;
      sheet.close();
    }, "button button-primary");
    const sheet = openSheet(say("choose_goods"), search, found, most > 1 ? make("h3", { class: "card-title" }, say("chosen")) : undefined, most > 1 ? picked : undefined, go);
    sheet.classList.add("is-wide");
    sheet.addEventListener("close", () => resolve(result));
    void Promise.all([show(), chosen.length ? load(`ids=${chosen.join(",")}`) : undefined]).then(showPicked);
  });
}
