/** Money as integers of 1/10000 yuan, as on the server; no float ever holds a sum. */

export const SCALE = 10_000;
const MAX_AMOUNT = 10 ** 13;
const YUAN = /^([0-9]{1,10})(?:\.([0-9]{1,4}))?$/;

/** Read "12.34" strictly; undefined for anything else. */
export function parseYuan(text: string): number | undefined {
  const found = YUAN.exec(text);
  if (!found) return undefined;
  const amount = Number(found[1]) * SCALE + Number((found[2] ?? "").padEnd(4, "0"));
  return amount <= MAX_AMOUNT ? amount : undefined;
}

/** Print with two decimals, four when a part below one fen exists. */
export function formatYuan(amount: number): string {
  const whole = Math.floor(Math.abs(amount) / SCALE);
  const rest = Math.abs(amount) % SCALE;
  const digits = rest % 100 === 0 ? String(rest / 100).padStart(2, "0") : String(rest).padStart(4, "0");
  return `${amount < 0 ? "-" : ""}${whole}.${digits}`;
}

/** Group thousands of a printed sum: 1234567.80 → 1,234,567.80. */
export function groupThousands(yuan: string): string {
  const [whole = "", rest] = yuan.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return rest === undefined ? grouped : `${grouped}.${rest}`;
}

/** Show a price in an element the way the server's `price` filter does. */
export function showPrice(target: Element, amount: number): void {
  const [whole = "", cents = ""] = groupThousands(formatYuan(amount)).split(".");
  const price = document.createElement("span");
  price.className = "price";
  const sign = document.createElement("span");
  sign.className = "price-sign";
  sign.textContent = "¥";
  const small = document.createElement("span");
  small.className = "price-cents";
  small.textContent = `.${cents}`;
  price.append(sign, whole, small);
  target.replaceChildren(price);
}
