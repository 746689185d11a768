/** Moments as a person reads them. */
export function sayMoment(iso: string): string {
  return new Date(iso).toLocaleString(document.documentElement.lang || undefined, { month: "short", day: "numeric", weekday: "short", hour: "2-digit", minute: "2-digit" });
}
