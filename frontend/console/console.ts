/** The console's script. Pages work without it; it adds the palette, bulk acts, previews and drafts. */
import { startReceiving } from "../shared/bridge.ts";
import { startForms } from "../shared/forms.ts";
import { startLive } from "../shared/live.ts";
import { startOverlays } from "../shared/overlay.ts";
import { startDashboard } from "./dashboard.ts";
import { startContrast } from "./contrast.ts";
import { startOpenDialogs } from "./dialogs.ts";
import { startEditing } from "./editing.ts";
import { startImports } from "./imports.ts";
import { startPalette } from "./palette.ts";
import { startPasskeys } from "./passkeys.ts";
import { startRowForms } from "./rows.ts";
import { startTables } from "./tables.ts";

startOverlays();
startDashboard();
startOpenDialogs();
startForms();
startLive();
startReceiving();
startTables();
startRowForms();
startEditing();
startContrast();
startImports();
startPalette();
startPasskeys();
