// Reading and writing snapshot documents.

import assert from "node:assert/strict";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { formatSnapshot, isExternal, parseSnapshot } from "./snapshot.ts";

const NEW = { redefine: false, offline: false, now: 1700000000 } as const;
const KEPT = { ...NEW, redefine: true } as const;
const GUEST = `<domain type='qemu'>
    <name>guest</name>
    <uuid>11111111-1111-4111-8111-111111111111</uuid>
    <memory unit='KiB'>1024</memory>
    <vcpu placement='static'>1</vcpu>
    <os>
      <type arch='x86_64' machine='pc'>hvm</type>
    </os>
    <clock offset='utc'/>
    <on_poweroff>destroy</on_poweroff>
    <on_reboot>restart</on_reboot>
    <on_crash>destroy</on_crash>
    <devices/>
  </domain>`;

test("a new snapshot is named after its time unless it has a name, and has no past of its own", () => {
	const def = parseSnapshot(
		"<domainsnapshot><state>running</state><parent><name>p</name></parent><creationTime>5</creationTime></domainsnapshot>",
		NEW,
	);
	assert.deepEqual(def, { name: "1700000000", creationTime: 1700000000, disks: [], revertDisks: [] });
	assert.equal(parseSnapshot("<domainsnapshot><name/></domainsnapshot>", NEW).name, "1700000000");
	assert.equal(parseSnapshot("<domainsnapshot><name>a</name></domainsnapshot>", NEW).name, "a");
});

test("a snapshot that is there already is written as it was read", () => {
	const text = `<domainsnapshot>
  <name>one</name>
  <description>before the change</description>
  <state>disk-snapshot</state>
  <parent>
    <name>zero</name>
  </parent>
  <creationTime>1600000000</creationTime>
  <memory snapshot='no'/>
  <disks>
    <disk name='vda' snapshot='external' type='file'>
      <driver type='qcow2'/>
      <source file='/images/a.one'/>
    </disk>
    <disk name='hda' snapshot='no'/>
  </disks>
  ${GUEST}
  <inactiveDomain${GUEST.slice(7).replace("</domain>", "</inactiveDomain>")}
</domainsnapshot>
`;
	const def = parseSnapshot(text, KEPT);
	assert.equal(formatSnapshot(def), text);
	assert.ok(isExternal(def));
	const stored = formatSnapshot({ ...def, active: 1 }, { status: true });
	assert.match(stored, /<active>1<\/active>/);
	assert.equal(parseSnapshot(stored, KEPT).active, 1);
	assert.equal(formatSnapshot({ ...def, active: 1 }), text);
});

test("a path or a format makes a disk's part external", () => {
	const disks = (inner: string) =>
		parseSnapshot(`<domainsnapshot><disks>${inner}</disks></domainsnapshot>`, NEW).disks.map(
			({ snapshot }) => snapshot,
		);
	assert.deepEqual(disks("<disk name='vda'/><disk name='vdb'><source file='/x'/></disk>"), [undefined, "external"]);
	assert.deepEqual(disks("<disk name='vda'><driver type='qed'/></disk>"), ["external"]);
});

test("what no snapshot can be is refused with libvirt's codes", () => {
	const refused = (
		inner: string,
		code: Parameters<typeof isVirtError>[0],
		words: string,
		reading: typeof NEW | typeof KEPT = NEW,
	) =>
		assert.throws(() => parseSnapshot(`<domainsnapshot>${inner}</domainsnapshot>`, reading), isVirtError(code, words));
	refused("<memory snapshot='manual'/>", "XML_ERROR", "'manual' memory");
	refused("<memory snapshot='external'/>", "XML_ERROR", "require a filename");
	refused("<memory snapshot='internal' file='/m'/>", "XML_ERROR", "requires external snapshot");
	refused("<memory file='m'/>", "XML_ERROR", "must be absolute");
	refused("<memory snapshot='default'/>", "XML_ERROR", "snapshot");
	refused("<disks><disk snapshot='no'/></disks>", "INTERNAL_ERROR", "name");
	refused("<disks><disk name='a' type='volume'/></disks>", "XML_ERROR", "unsupported disk snapshot type");
	refused("<disks><disk name='a'><source file='x'/></disk></disks>", "XML_ERROR", "must be absolute");
	refused("<disks><disk name='a'><driver type='no-such'/></disk></disks>", "CONFIG_UNSUPPORTED", "no-such");
	refused("", "XML_ERROR", "must have a name", KEPT);
	refused("<name>a</name>", "INTERNAL_ERROR", "missing creationTime", KEPT);
	refused("<name>a</name><creationTime>1</creationTime>", "XML_ERROR", "missing state", KEPT);
	refused(
		"<name>a</name><creationTime>1</creationTime><state>odd</state>",
		"CONFIG_UNSUPPORTED",
		"Invalid state",
		KEPT,
	);
	assert.throws(
		() => parseSnapshot("<domainsnapshot><memory file='/m'/></domainsnapshot>", { ...NEW, offline: true }),
		isVirtError("XML_ERROR", "offline or disk-only"),
	);
	assert.throws(() => parseSnapshot("<domain/>", NEW), isVirtError("XML_ERROR", "domainsnapshot"));
});
