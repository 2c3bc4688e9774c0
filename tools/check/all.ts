// Every check, in the order in which they are printed.

import type { Check } from "./check.ts";
import { deadCode } from "./dead-code.ts";
import { docs } from "./docs.ts";
import { duplicates } from "./duplicates.ts";
import { format } from "./format.ts";
import { generated } from "./generated.ts";
import { layers } from "./layers.ts";
import { opening } from "./opening.ts";
import { portable } from "./portable.ts";
import { purity } from "./purity.ts";
import { size } from "./size.ts";
import { types } from "./types.ts";

// The checks that wait for another program come first, so that the others have something to do meanwhile.
export const CHECKS: readonly Check[] = [
	format,
	types,
	deadCode,
	duplicates,
	layers,
	purity,
	size,
	opening,
	portable,
	docs,
	generated,
];
