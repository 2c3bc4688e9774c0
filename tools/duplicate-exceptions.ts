// Files in which repetition is right, each with the reason; the duplicate check leaves them out.

export const MAY_REPEAT: Readonly<Record<string, string>> = {
	"**/*.gen.ts": "generated",
	"**/fixtures/**": "data for tests",
	"packages/protocol/procedures/*.ts":
		"tables: libvirt's own structures repeat each other, and each row stands for itself",
};
