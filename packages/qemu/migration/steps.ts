// Who takes a migration's steps: what sends a guest, or what only moves a definition.

import { migrateFinish, migratePrepare } from "./destination.ts";
import { beginOffline, confirmOffline, finishOffline, prepareOffline } from "./offline.ts";
import { MIGRATE_FLAG } from "./parameters.ts";
import { RESUME } from "./resume.ts";
import { migrateBegin, migrateConfirm, migratePerform } from "./source.ts";

const LIVE = {
	begin: migrateBegin,
	perform: migratePerform,
	confirm: migrateConfirm,
	prepare: migratePrepare,
	finish: migrateFinish,
};

const OFFLINE = {
	begin: beginOffline,
	// Nothing is performed offline: whoever asks is told that the guest does not run.
	perform: migratePerform,
	confirm: confirmOffline,
	prepare: prepareOffline,
	finish: finishOffline,
};

/** The steps for these virDomainMigrateFlags. */
export function stepsFor(flags: number): typeof LIVE | typeof OFFLINE | typeof RESUME {
	if (flags & MIGRATE_FLAG.offline) return OFFLINE;
	return flags & MIGRATE_FLAG.postcopyResume ? RESUME : LIVE;
}
