/** The shop's script. Everything works without it; it saves a press here and a look there. */
import { startReceiving } from "../shared/bridge.ts";
import { startForms } from "../shared/forms.ts";
import { startLive } from "../shared/live.ts";
import { startOverlays } from "../shared/overlay.ts";
import { startBuying } from "./buying.ts";
import { startOpening } from "./opening.ts";
import { startPaying } from "./paying.ts";
import { startSearch } from "./search.ts";
import { startSections } from "./sections.ts";

startOverlays();
startForms();
startLive();
startReceiving();
startBuying();
startOpening();
startPaying();
startSearch();
startSections();
