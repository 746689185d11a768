/** Paying inside WeChat: the bridge's payment window opens by itself, once. */
import { startBridge, type Call } from "../shared/bridge.ts";
import { each } from "../shared/words.ts";

export const PAY: Call = { name: "getBrandWCPayRequest", word: "get_brand_wcpay_request", field: "payBridge" };

export function startPaying(): void {
  each<HTMLElement>("[data-pay-bridge]", (box) => {
    const open = startBridge(box, PAY);
    const [visit] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
    if (visit?.type !== "back_forward") open(); // who comes back decides himself
  });
}
