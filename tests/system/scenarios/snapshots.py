# Snapshots of a guest that has no operating system: external and internal ones, running and stopped, kept, gone back to, deleted.
import os
import re
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as tree

folder = tempfile.mkdtemp(dir="/tmp")
os.chmod(folder, 0o777)
DISK_ONLY = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
NO_METADATA = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
REUSE = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT
REDEFINE = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
CURRENT = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT
RUNNING = libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING
PAUSED = libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED
CHILDREN = libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN
CHILDREN_ONLY = libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY
METADATA = libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY


def path(name):
    return os.path.join(folder, name)


def plain(text):
    """Without what differs from one folder and moment to the next."""
    return re.sub(r"\b1[5-9]\d{8}\b|\b2\d{9}\b", "TIME", text.replace(folder, ""))


def chain(disk):
    """A disk's images from the top down."""
    found = []
    layer = disk
    while layer is not None and (layer is disk or layer.get("type")):
        source = layer.find("source")
        found.append(None if source is None else plain(source.get("file")))
        layer = layer.find("backingStore")
    return [disk.find("target").get("dev"), *found]


def chains(document):
    return [chain(disk) for disk in document.findall("devices/disk")]


def described(snapshot, flags=0):
    """What a snapshot's description says, but for how the daemons describe a guest otherwise."""
    document = tree.fromstring(snapshot.getXMLDesc(flags))
    said = []
    for part in document:
        if part.tag in ("domain", "inactiveDomain"):
            said.append([part.tag, part.findtext("name"), chains(part)])
        elif part.tag != "cookie":
            said.append(re.sub(r"\s+", " ", plain(tree.tostring(part, encoding="unicode"))).strip())
    return said


def named(name, inner=""):
    return f"<domainsnapshot><name>{name}</name>{inner}</domainsnapshot>"


def facts(flags=0):
    """All there is to tell of the domain and its snapshots."""
    snapshots = sorted(d.listAllSnapshots(flags), key=lambda one: one.getName())
    current = d.snapshotCurrent().getName() if d.hasCurrentSnapshot() else None
    files = sorted(plain(name) for name in os.listdir(folder))
    disks = [chains(tree.fromstring(d.XMLDesc(flag))) for flag in (0, 2)]
    # libvirtd runs a guest for a moment to delete a snapshot of one that does not run: its reason to be off is another then.
    state = d.state()[:1] if d.name() == "merges" else d.state()
    return [[plain(one.getName()) for one in snapshots], current, files, disks, state]


def step(name, call, *state):
    attempt(name, lambda: (lambda result: plain(result.getName()) if hasattr(result, "getName") else result)(call()))
    for wanted in state:
        settle(d, wanted)
    pump(0.1)
    attempt(name + ": then", facts)


def create(name, flags=0, inner=""):
    return d.snapshotCreateXML(named(name, inner), flags)


def fresh(name="guest", **options):
    """A guest on two images, a CD drive without a medium, and one with."""
    for one in ("a.img", "b.qcow2", "cd.iso"):
        if os.path.exists(path(one)):
            os.unlink(path(one))
    for one in ("a.img", "b.qcow2"):
        subprocess.check_call(["qemu-img", "create", "-q", "-f", "qcow2", path(one), "8M"])
        os.chmod(path(one), 0o666)
    with open(path("cd.iso"), "wb") as iso:
        iso.write(b"\0" * 65536)
    disks = "".join(
        f"<disk type='file' {options.get(dev, '')}><driver name='qemu' type='qcow2'/><source file='{path(file)}'/><target dev='{dev}' bus='virtio'/></disk>"
        for dev, file in (("vda", "a.img"), ("vdb", "b.qcow2"))
    )
    drives = f"<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk><disk type='file' device='cdrom'><source file='{path('cd.iso')}'/><target dev='sdb' bus='sata'/></disk>"
    return conn.defineXML(xml(name, disks + drives + "<memballoon model='none'/>"))


ON = libvirt.VIR_DOMAIN_RUNNING
OFF = libvirt.VIR_DOMAIN_SHUTOFF
STILL = libvirt.VIR_DOMAIN_PAUSED

d = fresh()
# Nothing there yet, and what cannot be had.
step("no current", lambda: d.snapshotCurrent())
step("no such", lambda: d.snapshotLookupByName("none"))
step("no document", lambda: d.snapshotCreateXML("<domainsnapshot", 0))
step("another document", lambda: d.snapshotCreateXML("<domain/>", 0))
step("name with a slash", lambda: create("a/b"))
step("name with a dot", lambda: create(".a"))
step("live of a stopped guest", lambda: create("x", libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_LIVE))
step("memory of a stopped guest", lambda: create("x", 0, f"<memory snapshot='external' file='{path('m')}'/>"))
step("manual memory", lambda: create("x", 0, "<memory snapshot='manual'/>"))
step("external memory nowhere", lambda: create("x", 0, "<memory snapshot='external'/>"))
step("no such disk", lambda: create("x", DISK_ONLY, "<disks><disk name='vdz'/></disks>"))
step("a disk twice", lambda: create("x", DISK_ONLY, "<disks><disk name='vda'/><disk name='vda'/></disks>"))
step("too many disks", lambda: create("x", DISK_ONLY, "<disks>" + "<disk name='vda'/>" * 5 + "</disks>"))
step("nothing selected", lambda: create("x", DISK_ONLY, "<disks><disk name='vda' snapshot='no'/><disk name='vdb' snapshot='no'/></disks>"))
step("internal of some", lambda: create("x", 0, "<disks><disk name='vda' snapshot='no'/></disks>"))
step("raw overlay", lambda: create("x", DISK_ONLY, "<disks><disk name='vda'><driver type='raw'/></disk></disks>"))
step("unknown format", lambda: create("x", DISK_ONLY, "<disks><disk name='vda'><driver type='odd'/></disk></disks>"))
step("overlay with content", lambda: create("x", DISK_ONLY, f"<disks><disk name='vda'><source file='{path('b.qcow2')}'/></disk></disks>"))
step("overlay of another type", lambda: create("x", DISK_ONLY, f"<disks><disk name='vda' type='block'><source dev='{path('none')}'/></disk></disks>"))
step("relative overlay", lambda: create("x", DISK_ONLY, "<disks><disk name='vda'><source file='rel'/></disk></disks>"))
step("reused that is missing", lambda: create("x", DISK_ONLY | REUSE))
step("volume", lambda: create("x", DISK_ONLY, "<disks><disk name='vda' type='volume'/></disks>"))
step("quiesce of memory", lambda: create("x", libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE))
step("quiesce of a stopped guest", lambda: create("x", DISK_ONLY | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE, "<disks><disk name='vda' snapshot='no'/><disk name='vdb' snapshot='no'/></disks>"))

VALIDATE = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_VALIDATE
step("validated: unknown element", lambda: create("x", VALIDATE, "<odd/>"))
step("validated: unknown attribute", lambda: create("x", VALIDATE | DISK_ONLY, "<disks><disk name='vda' odd='1'/></disks>"))
step("validated: word that is none", lambda: create("x", VALIDATE | DISK_ONLY, "<disks><disk name='vda' snapshot='odd'/></disks>"))

# Internal ones, of a guest that is off.
step("validated", lambda: create("valid", VALIDATE, "<description>as it should be</description>"))
step("validated: gone", lambda: d.snapshotLookupByName("valid").delete())
step("internal, off", lambda: create("cold"))
attempt("internal, off: said", lambda: described(d.snapshotLookupByName("cold")))
step("again", lambda: create("cold"))
step("second", lambda: create("colder", 0, "<description>second</description>"))
attempt("second: said", lambda: described(d.snapshotLookupByName("colder")))
step("revert, off", lambda: d.revertToSnapshot(d.snapshotLookupByName("cold"), 0))
step("revert, off, to run", lambda: d.revertToSnapshot(d.snapshotLookupByName("cold"), RUNNING), ON)
step("revert, running, to stand still", lambda: d.revertToSnapshot(d.snapshotLookupByName("colder"), PAUSED), STILL)
step("revert, both", lambda: d.revertToSnapshot(d.snapshotLookupByName("cold"), RUNNING | PAUSED))
step("revert, paused, to off", lambda: d.revertToSnapshot(d.snapshotLookupByName("cold"), 0), OFF)
d.create()
settle(d, ON)
step("internal, running", lambda: create("warm"), ON)
attempt("internal, running: said", lambda: described(d.snapshotLookupByName("warm")))
attempt("parent", lambda: d.snapshotLookupByName("warm").getParent().getName())
attempt("no parent", lambda: d.snapshotLookupByName("cold").getParent())
attempt("is current", lambda: d.snapshotLookupByName("warm").isCurrent())
attempt("has metadata", lambda: d.snapshotLookupByName("warm").hasMetadata())
step("internal disks alone, running", lambda: create("x", DISK_ONLY, "<disks><disk name='vda' snapshot='internal'/></disks>"))
step("internal without memory, running", lambda: create("x", 0, "<memory snapshot='no'/>"))
d.suspend()
step("internal, paused", lambda: create("still"), STILL)
step("revert, paused to running", lambda: d.revertToSnapshot(d.snapshotLookupByName("warm"), 0), ON)
step("revert, running to paused", lambda: d.revertToSnapshot(d.snapshotLookupByName("still"), 0), STILL)
step("revert, paused to running by wish", lambda: d.revertToSnapshot(d.snapshotLookupByName("still"), RUNNING), ON)
step("revert, running to paused by wish", lambda: d.revertToSnapshot(d.snapshotLookupByName("warm"), PAUSED), STILL)
for flags in (0, 1, 2, 4, 8, 12, 16, 32, 64, 96, 128, 256, 512, 768, 1024):
    attempt(f"listed by {flags}", lambda: sorted(one.getName() for one in d.listAllSnapshots(flags)))
    attempt(f"children listed by {flags}", lambda: sorted(one.getName() for one in d.snapshotLookupByName("cold").listAllChildren(flags)))
    attempt(f"counted by {flags}", lambda: [d.snapshotNum(flags), d.snapshotLookupByName("cold").numChildren(flags)])
attempt("listed by unknown flags", lambda: d.listAllSnapshots(1 << 20))
attempt("names", lambda: [sorted(d.snapshotListNames()), sorted(d.snapshotLookupByName("cold").listChildrenNames())])
step("halt", lambda: create("last", libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_HALT), OFF)
step("undefine with snapshots", lambda: d.undefine())
d.rename("renamed")
step("renamed", lambda: described(d.snapshotLookupByName("cold"))[-1])
step("revert, renamed", lambda: d.revertToSnapshot(d.snapshotLookupByName("cold"), 0))
step("metadata alone", lambda: d.snapshotLookupByName("last").delete(METADATA))
step("delete one", lambda: d.snapshotLookupByName("colder").delete())
step("delete both ways", lambda: d.snapshotLookupByName("cold").delete(CHILDREN | CHILDREN_ONLY))
step("delete children", lambda: d.snapshotLookupByName("cold").delete(CHILDREN_ONLY))
attempt("redefine: of", lambda: described(d.snapshotLookupByName("cold")))
text = d.snapshotLookupByName("cold").getXMLDesc()
step("delete all", lambda: d.snapshotLookupByName("cold").delete(CHILDREN))

# What is known, without an image being touched.
redefine = lambda xml, flags=0: d.snapshotCreateXML(xml, REDEFINE | flags)
step("redefine", lambda: redefine(text))
step("redefine as current", lambda: redefine(text.replace("<name>cold</name>", "<name>hot</name><parent><name>cold</name></parent>", 1), CURRENT))
step("redefine without a name", lambda: redefine(text.replace("<name>cold</name>", "", 1)))
step("redefine without a state", lambda: redefine(re.sub("<state>.*</state>", "", text)))
step("redefine with an odd state", lambda: redefine(re.sub("<state>.*</state>", "<state>odd</state>", text)))
step("redefine without a time", lambda: redefine(re.sub("<creationTime>.*</creationTime>", "", text)))
step("redefine as its own parent", lambda: redefine(text.replace("</name>", "</name><parent><name>cold</name></parent>", 1)))
step("redefine in a circle", lambda: redefine(text.replace("</name>", "</name><parent><name>hot</name></parent>", 1)))
step("redefine under no parent", lambda: redefine(text.replace("</name>", "</name><parent><name>none</name></parent>", 1)))
step("redefine as running", lambda: redefine(text.replace("shutoff", "running").replace("<memory snapshot='no'/>", "")))
step("redefine as disks alone", lambda: redefine(text.replace("shutoff", "disk-snapshot")))
step("redefine with the flag for disks", lambda: redefine(text, DISK_ONLY))
step("redefine for another guest", lambda: redefine(re.sub("<uuid>.*</uuid>", "<uuid>11111111-2222-4333-8444-555555555555</uuid>", text)))
step("current without redefine", lambda: d.snapshotCreateXML(named("x"), CURRENT))
step("redefine without metadata", lambda: redefine(text, NO_METADATA))
step("undefine with them", lambda: d.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA) or "gone")

# External ones.
d = fresh("outside", vdb="snapshot='manual'")
step("manual disk, off", lambda: create("off1", DISK_ONLY))
attempt("manual disk, off: said", lambda: described(d.snapshotLookupByName("off1")))
step("unknown to the tree", lambda: create("off2", DISK_ONLY | NO_METADATA, f"<disks><disk name='vdb' snapshot='external'><driver type='qed'/><source file='{path('named')}'/></disk></disks>"))
d.create()
settle(d, ON)
step("disks, running", lambda: create("on1", DISK_ONLY, "<disks><disk name='vdb' snapshot='no'/></disks>"), ON)
attempt("disks, running: said", lambda: described(d.snapshotLookupByName("on1")))
step("disks, manual one, running", lambda: create("on2", DISK_ONLY), STILL)
d.resume()
settle(d, ON)
step("with memory", lambda: create("full", 0, f"<memory file='{path('memory')}'/><disks><disk name='vdb' snapshot='no'/></disks>"), ON)
attempt("with memory: said", lambda: described(d.snapshotLookupByName("full")))
step("with memory, live", lambda: create("live", libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_LIVE, f"<memory file='{path('memory2')}'/><disks><disk name='vdb' snapshot='no'/></disks>"), ON)
step("mixed", lambda: create("x", 0, f"<memory file='{path('memory3')}'/><disks><disk name='vda' snapshot='internal'/></disks>"))
step("onto a file that cannot be made", lambda: create("x", DISK_ONLY, f"<disks><disk name='vda'><source file='{path('no/such')}'/></disk><disk name='vdb' snapshot='no'/></disks>"))
step("delete in between", lambda: d.snapshotLookupByName("on2").delete(METADATA))
step("delete external with children", lambda: d.snapshotLookupByName("off1").delete(CHILDREN))
step("delete children that are external", lambda: d.snapshotLookupByName("off1").delete(CHILDREN_ONLY))
d.blockCopy("vda", f"<disk type='file'><driver type='qcow2'/><source file='{path('copy')}'/></disk>", flags=libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB)
attempt("amid a block job", lambda: create("x", DISK_ONLY, "<disks><disk name='vdb' snapshot='no'/></disks>").getName())
d.blockJobAbort("vda")
d.destroy()
step("undefine", lambda: d.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA) or "gone")

# Merges.
for how in ("running", "off"):
    for name in list(os.listdir(folder)):
        os.unlink(path(name))
    d = fresh("merges", vdb="snapshot='no'")
    d.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    for name in ("one", "two", "three"):
        create(name, DISK_ONLY)
    if how == "off":
        d.destroy()
    step(f"{how}: delete the middle", lambda: d.snapshotLookupByName("two").delete())
    attempt(f"{how}: said then", lambda: described(d.snapshotLookupByName("three")))
    step(f"{how}: delete the last", lambda: d.snapshotLookupByName("three").delete())
    step(f"{how}: delete the first", lambda: d.snapshotLookupByName("one").delete())
    if how == "running":
        d.destroy()
    d.undefine()

# Of a guest that lives only while it runs.
fresh("passing").undefine()
d = conn.createXML(xml("passing", f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{path('a.img')}'/><target dev='vda' bus='virtio'/></disk>"), 0)
settle(d, ON)
step("halt of a passing guest", lambda: create("x", libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_HALT))
step("of a passing guest", lambda: create("one"), ON)
attempt("of a passing guest: said", lambda: described(d.snapshotLookupByName("one")))
step("back", lambda: d.revertToSnapshot(d.snapshotLookupByName("one"), PAUSED), STILL)
d.destroy()
shutil.rmtree(folder)
pump(0.5)
print(json.dumps({"outcomes": outcomes, "events": heard}))
