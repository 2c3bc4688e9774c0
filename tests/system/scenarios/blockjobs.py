# Block jobs on a chain of three images, of a guest that has no operating system.
import os
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as tree

folder = tempfile.mkdtemp(dir="/tmp")
os.chmod(folder, 0o777)
SPEED_BYTES = libvirt.VIR_DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES
jobs = []


# Megabyte at which each image has data of its own.
WHERE = {"base": 0, "middle": 16, "top": 32}


def path(name):
    return os.path.join(folder, name)


def image(name, below=None):
    backing = ["-b", path(below), "-F", "qcow2"] if below else []
    size = [] if below else ["64M"]
    subprocess.check_call(["qemu-img", "create", "-q", "-f", "qcow2", *backing, path(name), *size])
    # What lies below must take a slow job long to fetch: none hides behind another's.
    subprocess.check_call(["qemu-io", "-c", f"write {WHERE[name]}M 16M", path(name)], stdout=subprocess.DEVNULL)
    os.chmod(path(name), 0o666)


def on_job(conn, domain, disk, type, status, opaque):
    jobs.append([disk, type, status])


conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, on_job, None)


def chain(flags=0):
    """The disk's images from the top down, and its copy, as the definition has them."""
    disk = tree.fromstring(d.XMLDesc(flags)).find("devices/disk")
    found = []
    layer = disk
    while layer is not None and (layer is disk or layer.get("type")):
        source = layer.find("source")
        found.append(os.path.basename(source.get("file")))
        layer = layer.find("backingStore")
    mirror = disk.find("mirror")
    if mirror is not None:
        source = mirror.find("source")
        found.append([mirror.get("job"), mirror.get("ready"), os.path.basename(source.get("file") or source.get("protocol"))])
    return found


def step(name, call, wait=0):
    attempt(name, call)
    end = time.monotonic() + 10
    while len(jobs) < wait and time.monotonic() < end:
        pump(0.1)
    attempt(name + ": chain", chain)
    attempt(name + ": stored", lambda: chain(2))
    attempt(name + ": events", lambda: list(jobs))
    jobs.clear()


def fresh():
    """The guest on base, middle and top, paused."""
    for name, below in (("base", None), ("middle", "base"), ("top", "middle")):
        image(name, below)
    disk = f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{path('top')}'/><target dev='vda' bus='virtio'/></disk>"
    domain = conn.defineXML(xml("jobs", disk + "<memballoon model='none'/>"))
    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    return domain


def copy_xml(name, format):
    return f"<disk type='file'><driver type='{format}'/><source file='{path(name)}'/></disk>"


d = fresh()
step("no job", lambda: bool(d.blockJobInfo("vda")))
step("abort without a job", lambda: d.blockJobAbort("vda"))
step("speed without a job", lambda: d.blockJobSetSpeed("vda", 1))
step("no such disk", lambda: d.blockPull("vdx"))
step("no such base", lambda: d.blockRebase("vda", path("none"), 0, 0))
step("wrong number", lambda: d.blockRebase("vda", "vda[77]", 0, 0))
step("other disk's number", lambda: d.blockRebase("vda", "vdb[2]", 0, 0))
step("relative pull without base", lambda: d.blockRebase("vda", None, 0, libvirt.VIR_DOMAIN_BLOCK_REBASE_RELATIVE))
step("speed beyond all", lambda: d.blockPull("vda", 1 << 62))
step("commit of the active layer without the flag", lambda: d.blockCommit("vda", None, None))
step("active commit of another", lambda: d.blockCommit("vda", None, path("middle"), 0, libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE))
step("commit of the base", lambda: d.blockCommit("vda", None, path("base")))
step("shallow commit to the wrong base", lambda: d.blockCommit("vda", path("base"), path("top"), 0, 5))
step("commit of the middle", lambda: d.blockCommit("vda", path("base"), path("middle")), 1)
step("active commit", lambda: d.blockCommit("vda", None, None, 0, libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE), 1)
step("pull amid a commit", lambda: d.blockPull("vda"))
step("copy amid a commit", lambda: d.blockCopy("vda", copy_xml("x", "raw"), flags=4))
step("given up", lambda: d.blockJobAbort("vda"), 1)
step("active commit again", lambda: d.blockCommit("vda", None, None, 0, libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE), 1)
step("pivot", lambda: d.blockJobAbort("vda", libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT), 1)
d.destroy()
d.undefine()
d = fresh()
step("slow pull", lambda: d.blockPull("vda", 1024, SPEED_BYTES))
step("pivot of a pull", lambda: d.blockJobAbort("vda", libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT))
step("pull amid a pull", lambda: d.blockPull("vda"))
step("its type and speed", lambda: [(d.blockJobInfo("vda", 1) or {}).get(key) for key in ("type", "bandwidth")])
step("faster", lambda: d.blockJobSetSpeed("vda", 0), 1)
step("copy of a persistent guest", lambda: d.blockCopy("vda", copy_xml("copy", "raw")))
step("copy", lambda: d.blockCopy("vda", copy_xml("copy", "qcow2"), flags=4), 1)
step("its end", lambda: d.blockJobAbort("vda"), 1)
step("copy to a file with something in it", lambda: d.blockCopy("vda", copy_xml("base", "qcow2"), flags=4))
step("copy without a path", lambda: d.blockCopy("vda", copy_xml("", "qcow2").replace(folder + "/", "x"), flags=4))
step("copy by the older call", lambda: d.blockRebase("vda", path("older"), 0, 8))
step("second copy", lambda: d.blockCopy("vda", copy_xml("second", "raw"), flags=4), 1)
step("pivot to it", lambda: d.blockJobAbort("vda", libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT), 1)
# To an NBD server.
with open(path("remote"), "wb") as file:
    file.truncate(64 << 20)
server = subprocess.Popen(["qemu-nbd", "-t", "-f", "raw", "-k", path("nbd"), path("remote")])
try:
    while not os.path.exists(path("nbd")) and server.poll() is None:
        time.sleep(0.05)
    os.chmod(path("nbd"), 0o777)
    remote = f"<disk type='network'><driver type='raw'/><source protocol='nbd'><host transport='unix' socket='{path('nbd')}'/></source></disk>"
    nowhere = remote.replace("/nbd'", "/nowhere'")
    step("copy to a server that is not there", lambda: d.blockCopy("vda", nowhere, flags=6))
    step("copy to a server without a word of reuse", lambda: d.blockCopy("vda", remote, flags=4), 1)
    step("its end too", lambda: d.blockJobAbort("vda"), 1)
    step("copy to a server", lambda: d.blockCopy("vda", remote, flags=6), 1)
    step("the end of that", lambda: d.blockJobAbort("vda"), 1)
finally:
    server.terminate()
    server.wait()
attempt("what is there", lambda: subprocess.run(["qemu-img", "compare", "-q", "-f", "raw", "-F", "raw", "-U", path("second"), path("remote")]).returncode)
step("growth", lambda: d.blockResize("vda", 128 << 10))
step("its size", lambda: d.blockInfo("vda")[0])
step("growth of no disk", lambda: d.blockResize("vdx", 1))
step("threshold", lambda: d.setBlockThreshold("vda", 1 << 20))
step("threshold of no disk", lambda: d.setBlockThreshold("vdx", 1))
d.destroy()
step("pull of a guest that is off", lambda: d.blockPull("vda"))
d.undefine()
shutil.rmtree(folder)
pump(0.5)
print(json.dumps({"outcomes": outcomes, "events": heard}))
