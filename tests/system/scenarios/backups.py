# Backups and checkpoints of a paused guest with two disks, whose writes QEMU does for it.
import os
import re
import shutil
import subprocess
import tempfile
import libvirt_qemu

folder = tempfile.mkdtemp(dir="/tmp")
os.chmod(folder, 0o777)
jobs = []
done = []
thresholds = []
SIZE, NO_DOMAIN = libvirt.VIR_DOMAIN_CHECKPOINT_XML_SIZE, libvirt.VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN


def path(name):
    return os.path.join(folder, name)


def image(name, format="qcow2", size="16M"):
    subprocess.check_call(["qemu-img", "create", "-q", "-f", format, path(name), size])
    subprocess.check_call(["qemu-io", "-f", format, "-c", "write -P 1 0 1M", path(name)], stdout=subprocess.DEVNULL)
    os.chmod(path(name), 0o666)


conn.domainEventRegisterAny(
    None, libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, lambda c, d, disk, type, status, o: jobs.append([disk, type, status]), None
)
conn.domainEventRegisterAny(
    None, libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, lambda c, d, params, o: done.append(params), None
)
conn.domainEventRegisterAny(
    None,
    libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD,
    lambda c, d, dev, file, threshold, excess, o: thresholds.append([dev, os.path.basename(file or ""), threshold, excess]),
    None,
)


def plain(text):
    """A document without what differs from run to run."""
    text = text.replace(folder, "")
    text = re.sub(r"<creationTime>\d+", "<creationTime>", text)
    text = re.sub(r" index='\d+'", " index=''", text)
    return re.sub(r"(/[a-z]+\.)\d{10}", r"\1TIME", text)


def without_times(params):
    return sorted([key, value] for key, value in params.items() if not key.startswith("time"))


def wait(found, count):
    end = time.monotonic() + 20
    while len(found) < count and time.monotonic() < end:
        pump(0.1)


def step(name, call, ends=0, disks=0):
    attempt(name, call)
    wait(done, ends)
    wait(jobs, disks)
    if ends or done:
        attempt(name + ": over", lambda: [without_times(params) for params in done])
        attempt(name + ": told", lambda: sorted(jobs))
        attempt(name + ": files", lambda: sorted(re.sub(r"\d{10}$", "TIME", name) for name in os.listdir(folder)))
        attempt(name + ": job", lambda: without_times(d.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)))
    done.clear()
    jobs.clear()


def write(disk, pattern, offset, length):
    command = f'qemu-io -d /machine/peripheral/virtio-disk{disk}/virtio-backend "write -P {pattern} {offset} {length}"'
    said = libvirt_qemu.qemuMonitorCommand(d, command, libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP)
    assert said.strip() == "", said


def has(name, pattern, offset, length, format="qcow2"):
    words = ["qemu-io", "-U", "-r", "-f", format, "-c", f"read -P {pattern} {offset} {length}", path(name)]
    return subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def dirty(socket, export, bitmap):
    options = f"driver=nbd,server.type=unix,server.path={path(socket)},export={export},x-dirty-bitmap=qemu:dirty-bitmap:{bitmap}"
    told = subprocess.check_output(["qemu-img", "map", "--output=json", "--image-opts", options])
    return [[one["start"], one["length"]] for one in json.loads(told) if not one["data"]]


def backup(disks, head="", mode="push"):
    return f"<domainbackup mode='{mode}'>{head}" + (f"<disks>{disks}</disks>" if disks else "") + "</domainbackup>"


def begin(xml, checkpoint=None, flags=0):
    return d.backupBegin(xml, checkpoint, flags)


def target(disk, name, format=None, words=""):
    driver = f"<driver type='{format}'/>" if format else ""
    return f"<disk name='{disk}' type='file' {words}>{driver}<target file='{path(name)}'/></disk>"


def scratch(disk, name, words=""):
    return f"<disk name='{disk}' type='file' {words}><scratch file='{path(name)}'/></disk>"


def server(name):
    return f"<server transport='unix' socket='{path(name)}'/>"


def mark(name, disks=""):
    return f"<domaincheckpoint><name>{name}</name>{disks}</domaincheckpoint>"


def describe(name, flags=NO_DOMAIN):
    return plain(d.checkpointLookupByName(name).getXMLDesc(flags))


def names(flags=0):
    return sorted(one.getName() for one in d.listAllCheckpoints(flags))


def below(name, flags=0):
    return sorted(one.getName() for one in d.checkpointLookupByName(name).listAllChildren(flags))


image("a")
image("b", "raw")
disks = "".join(
    f"<disk type='file'><driver name='qemu' type='{format}'/><source file='{path(name)}'/><target dev='{dev}' bus='virtio'/></disk>"
    for name, format, dev in (("a", "qcow2", "vda"), ("b", "raw", "vdb"))
)
d = conn.defineXML(xml("backups", disks + "<memballoon model='none'/>"))
step("backup of a guest that is off", lambda: begin(backup("")))
step("checkpoint of a guest that is off", lambda: d.checkpointCreateXML(mark("off")))
d.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)

# What is refused.
step("no backup", lambda: d.backupGetXMLDesc())
step("no job", lambda: d.abortJob())
step("not a backup", lambda: begin("<domain/>"))
step("not XML", lambda: begin("<domainbackup"))
step("unknown mode", lambda: begin(backup("", mode="steal")))
step("unknown element", lambda: begin("<domainbackup><what/></domainbackup>"))
step("push with a server", lambda: begin(backup("", server("s"))))
step("pull without a server", lambda: begin(backup("", mode="pull")))
step("pull without a port", lambda: begin(backup("", "<server name='localhost'/>", "pull")))
step("pull to a raw file", lambda: begin(backup(scratch("vda", "x").replace("<scratch", "<driver type='raw'/><scratch"), server("s"), "pull")))
step("push without a type", lambda: begin(backup("<disk name='vda'/>")))
step("no such disk", lambda: begin(backup(target("vdx", "x"))))
step("a disk twice", lambda: begin(backup(target("vda", "x") + target("vda", "y"))))
step("no disks", lambda: begin(backup("<disk name='vda' backup='no'/>")))
step("a file that is there", lambda: begin(backup(target("vda", "b"))))
step("no such folder", lambda: begin(backup(target("vda", "no/x"))))
step("no such checkpoint", lambda: begin(backup(target("vda", "x"), "<incremental>none</incremental>")))
step("incremental since nothing", lambda: begin(backup(target("vda", "x", words="backupmode='incremental'"))))
step("flags", lambda: begin(backup(target("vda", "x")), None, 2))
step("checkpoint of a raw disk", lambda: d.checkpointCreateXML(mark("one")))
step("checkpoint with a slash", lambda: d.checkpointCreateXML(mark("a/b")))
step("checkpoint of no disk", lambda: d.checkpointCreateXML(mark("one", "<disks><disk name='vdx'/></disks>")))
step("checkpoint with another bitmap", lambda: d.checkpointCreateXML(mark("one", "<disks><disk name='vda' bitmap='two'/></disks>")))
step("no checkpoint", lambda: d.checkpointLookupByName("one"))
attempt("files after all that", lambda: sorted(os.listdir(folder)))

# Pushes.
step("push to raw", lambda: begin(backup(target("vda", "push.raw", "raw"))), 1, 1)
attempt("its data", lambda: [has("push.raw", 1, "0", "1M", "raw"), has("push.raw", 0, "1M", "15M", "raw")])
step("push of all, files named after the time", lambda: begin(backup("")), 1, 2)
step("push with a checkpoint", lambda: begin(backup(target("vda", "full")), mark("one", "<disks><disk name='vda'/></disks>")), 1, 1)
attempt("the checkpoint", lambda: describe("one"))
write(0, 2, "2M", "64k")
step("second checkpoint", lambda: d.checkpointCreateXML(mark("two", "<disks><disk name='vda'/></disks>")) and None)
write(0, 3, "4M", "128k")
attempt("the same name", lambda: d.checkpointCreateXML(mark("two", "<disks><disk name='vda'/></disks>")))
attempt("sizes", lambda: [describe(name, NO_DOMAIN | SIZE) for name in ("one", "two")])
attempt("with its domain", lambda: "<domain type=" in describe("two", 0))
step("push since one", lambda: begin(backup(target("vda", "since-one"), "<incremental>one</incremental>")), 1, 1)
step("push since two to raw", lambda: begin(backup(target("vda", "since-two", "raw", "incremental='two'"))), 1, 1)
for name in ("since-one",):
    subprocess.check_call(["qemu-img", "rebase", "-u", "-b", "", path(name)])
attempt("what is in them", lambda: [has("since-one", 2, "2M", "64k"), has("since-one", 3, "4M", "128k"), has("since-one", 0, "0", "1M"), has("since-two", 3, "4M", "128k", "raw"), has("since-two", 0, "0", "4M", "raw")])
subprocess.check_call(["qemu-img", "create", "-q", "-f", "qcow2", path("there"), "16M"])
os.chmod(path("there"), 0o666)
step("push to a file that is there", lambda: begin(backup(target("vda", "there")), None, libvirt.VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL), 1, 1)

# Pulls.
step("pull", lambda: begin(backup(scratch("vda", "scratch", "exportname='disk' exportbitmap='changes' incremental='one'") + scratch("vdb", "scratch-b"), server("socket"), "pull")))
attempt("described", lambda: plain(d.backupGetXMLDesc()))
attempt("its job", lambda: [without_times(d.jobStats())[0], d.jobStats()["type"], d.jobInfo()[0]])
write(0, 9, "0", "64k")
attempt("what changed", lambda: dirty("socket", "disk", "changes"))
subprocess.check_call(["qemu-img", "convert", "-O", "raw", f"nbd+unix:///disk?socket={path('socket')}", path("pulled")])
attempt("what is read", lambda: [has("pulled", 1, "0", "1M", "raw"), has("pulled", 2, "2M", "64k", "raw")])
os.unlink(path("pulled"))
attempt("another backup", lambda: (d.blockJobInfo("vda") or {}).get("type"))
attempt("pull amid it", lambda: d.blockPull("vda"))
attempt("copy amid it", lambda: d.blockCopy("vdb", f"<disk type='file'><source file='{path('x')}'/></disk>", flags=4))
attempt("detach amid it", lambda: d.detachDeviceFlags(re.search(r"<disk.*?</disk>", d.XMLDesc(), re.S).group(0), 1))
attempt("checkpoint amid it", lambda: d.checkpointCreateXML(mark("amid", "<disks><disk name='vda'/></disks>")) and None)
number = re.search(r"<disk name='vdb'[^>]* index='(\d+)'", d.backupGetXMLDesc()).group(1)
attempt("threshold of a scratch file", lambda: d.setBlockThreshold(f"vdb[{number}]", 1 << 20))
attempt("threshold of none", lambda: d.setBlockThreshold("vdb[99]", 1 << 20))


def statistics():
    """What is told of each image, but for counters."""
    told = conn.domainListGetStats([d], libvirt.VIR_DOMAIN_STATS_BLOCK, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_BACKING)[0][1]
    kept = [key for key in told if key.split(".")[-1] in ("count", "name", "path", "capacity", "threshold")]
    return [[key, plain(str(told[key]))] for key in kept]


attempt("statistics amid it", statistics)
step("ended", lambda: d.abortJob(), 1, 2)
attempt("no more of it", lambda: [os.path.exists(path("scratch")), bool(d.blockJobInfo("vda"))])
step("pull again", lambda: begin(backup(scratch("vda", "scratch") + scratch("vdb", "scratch-b"), server("socket"), "pull")))
attempt("pivot of a backup", lambda: d.blockJobAbort("vda", libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT))
attempt("speed of a backup", lambda: d.blockJobSetSpeed("vda", 1))
step("one disk's given up", lambda: d.blockJobAbort("vda"), 1, 2)
step("pull on a socket that cannot be", lambda: begin(backup(scratch("vda", "scratch"), server("no/socket"), "pull"), mark("lost", "<disks><disk name='vda'/></disks>")))
step("pull with certificates that are not there", lambda: begin(backup(scratch("vda", "scratch"), "<server tls='yes' name='localhost' port='10999'/>", "pull")))
attempt("nothing of them", lambda: [names(), os.path.exists(path("scratch"))])

# The tree of checkpoints.
attempt("names", names)
attempt("roots, leaves and the others", lambda: [names(flag) for flag in (1, 4, 8, 2)])
attempt("children", lambda: [below("one"), below("one", 1), below("amid")])
attempt("parents", lambda: [d.checkpointLookupByName(name).getParent().getName() for name in ("two", "amid")])
attempt("parent of a root", lambda: d.checkpointLookupByName("one").getParent())
attempt("listed by what they have", lambda: [len(conn.listAllDomains(flag)) for flag in (1 << 14, 1 << 15)])
kept = d.checkpointLookupByName("two").getXMLDesc()
attempt("forgotten", lambda: d.checkpointLookupByName("two").delete(libvirt.VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY))
attempt("its child's parent", lambda: d.checkpointLookupByName("amid").getParent().getName())
again = mark("two", "<disks><disk name='vda'/></disks>")
attempt("made anew while its bitmap is there", lambda: d.checkpointCreateXML(again))
step("push with that", lambda: begin(backup(target("vda", "x")), again))
step("pull with that", lambda: begin(backup(scratch("vda", "x"), server("socket"), "pull"), again))
attempt("nothing of those", lambda: [names(), os.path.exists(path("x")), bool(d.blockJobInfo("vda")), d.jobInfo()[0]])
attempt("redefined", lambda: d.checkpointCreateXML(kept, libvirt.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE) and None)
attempt("redefined and looked at", lambda: d.checkpointCreateXML(kept, 5) and None)
attempt("looked at without redefining", lambda: d.checkpointCreateXML(kept, 4))
attempt("redefined without a name", lambda: d.checkpointCreateXML("<domaincheckpoint/>", 1))
attempt("redefined as its own parent", lambda: d.checkpointCreateXML("<domaincheckpoint><name>x</name><parent><name>x</name></parent><creationTime>1</creationTime></domaincheckpoint>", 1))
attempt("redefined without a parent", lambda: d.checkpointCreateXML("<domaincheckpoint><name>x</name><parent><name>y</name></parent><creationTime>1</creationTime></domaincheckpoint>", 1))
attempt("redefined of another", lambda: d.checkpointCreateXML(re.sub(r"<uuid>.{8}", "<uuid>00000000", kept), 1))
attempt("deleted", lambda: d.checkpointLookupByName("two").delete())
attempt("redefined without its bitmap", lambda: d.checkpointCreateXML(kept, 5))
attempt("both kinds of children", lambda: d.checkpointLookupByName("one").delete(5))
attempt("children alone", lambda: [d.checkpointLookupByName("one").delete(4), names()])
attempt("since one still", lambda: describe("one", NO_DOMAIN | SIZE))

# Over an overlay.
d.snapshotCreateXML(f"<domainsnapshot><name>s</name><disks><disk name='vda' snapshot='external'><source file='{path('overlay')}'/></disk><disk name='vdb' snapshot='no'/></disks></domainsnapshot>", libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)
write(0, 5, "6M", "64k")
attempt("over an overlay", lambda: describe("one", NO_DOMAIN | SIZE))
step("push over an overlay", lambda: begin(backup(target("vda", "over"), "<incremental>one</incremental>")), 1, 1)
subprocess.check_call(["qemu-img", "rebase", "-u", "-b", "", path("over")])
attempt("what is in it", lambda: [has("over", 2, "2M", "64k"), has("over", 5, "6M", "64k"), has("over", 0, "7M", "1M")])


def pivot():
    d.blockJobAbort("vda", libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)
    wait(jobs, 1)


def snapshot(name):
    disks = f"<disk name='vda' snapshot='external'><source file='{path(name)}'/></disk><disk name='vdb' snapshot='no'/>"
    text = f"<domainsnapshot><name>{name}</name><disks>{disks}</disks></domainsnapshot>"
    d.snapshotCreateXML(text, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)


def sizes(*names):
    return [re.findall(r"size='\d+'", describe(name, NO_DOMAIN | SIZE)) for name in names]


d.checkpointCreateXML(mark("above", "<disks><disk name='vda'/></disks>"))
write(0, 5, "7M", "64k")
attempt("checkpoint of the overlay alone", lambda: sizes("one", "above"))
step("commit of the overlay", lambda: d.blockCommit("vda", None, None, 0, libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE), 0, 1)
attempt("pivot", pivot)
jobs.clear()
attempt("after the commit", lambda: sizes("one", "above"))
write(0, 6, "8M", "64k")
attempt("and a write", lambda: sizes("one", "above"))
step("push after the commit", lambda: begin(backup(target("vda", "after"), "<incremental>above</incremental>")), 1, 1)
subprocess.check_call(["qemu-img", "rebase", "-u", "-b", "", path("after")])
attempt("what is in that", lambda: [has("after", pattern, where, "64k") for pattern, where in ((5, "7M"), (6, "8M"), (0, "2M"))])
snapshot("middle")
d.checkpointCreateXML(mark("between", "<disks><disk name='vda'/></disks>"))
write(0, 7, "9M", "64k")
snapshot("top")
write(0, 7, "10M", "64k")
attempt("three images", lambda: sizes("one", "above", "between"))
step("commit of the middle", lambda: d.blockCommit("vda", None, path("middle")), 0, 1)
attempt("after that", lambda: sizes("one", "above", "between"))
copy = f"<disk type='file'><driver type='qcow2'/><source file='{path('copy')}'/></disk>"
step("copy", lambda: d.blockCopy("vda", copy, flags=libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB), 0, 1)
attempt("pivot to the copy", pivot)
jobs.clear()
attempt("in the copy", lambda: sizes("one", "above", "between"))
write(0, 8, "12M", "64k")
attempt("and a write there", lambda: sizes("one", "above", "between"))
attempt("deleted at last", lambda: [[d.checkpointLookupByName(name).delete() for name in ("one", "between", "above")], names()])

# Thresholds.
attempt("threshold", lambda: d.setBlockThreshold("vdb", 8 << 20))
write(1, 7, "8M", "64k")
wait(thresholds, 1)
attempt("told once", lambda: list(thresholds))
attempt("threshold by number", lambda: d.setBlockThreshold("vdb[1]", 9 << 20))
write(1, 7, "9M", "64k")
wait(thresholds, 3)
attempt("told by number", lambda: thresholds[2:])

# The guest's end.
d.checkpointCreateXML(mark("last", "<disks><disk name='vda'/></disks>"))
step("pull that its guest ends", lambda: begin(backup(scratch("vda", "scratch"), server("socket"), "pull")))
d.destroy()
wait(done, 1)
attempt("its end", lambda: [[without_times(params) for params in done], os.path.exists(path("scratch"))])
attempt("checkpoint deleted of a guest that is off", lambda: d.checkpointLookupByName("last").delete())
attempt("undefined with a checkpoint", lambda: d.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA))
attempt("undefined", lambda: d.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA))
shutil.rmtree(folder)
pump(0.5)
print(json.dumps({"outcomes": outcomes, "events": heard}))
