# Descriptors that travel with calls: consoles over sockets, disks that the client has opened, commands of the monitor.
import os
import re
import shutil
import socket
import subprocess
import tempfile
import xml.etree.ElementTree as tree

import libvirt_qemu

folder = tempfile.mkdtemp(dir="/tmp")
os.chmod(folder, 0o777)
NOWHERE = os.path.join(folder, "nowhere")


def image(name, *arguments):
    path = os.path.join(folder, name)
    subprocess.run(["qemu-img", "create", "-q", *arguments, path, "1M"], check=True)
    os.chmod(path, 0o666)
    return path


def disk(dev, group, type="raw", source=NOWHERE, more=""):
    return f"<disk type='file' device='disk'><driver name='qemu' type='{type}'/><source file='{source}' fdgroup='{group}'/><target dev='{dev}' bus='virtio'/>{more}</disk>"


def greeting(fd):
    """What a VNC server says first, and the kinds of authentication it offers (RFC 6143, section 7.1)."""
    with socket.socket(fileno=fd) as end:
        end.settimeout(60)
        version = end.recv(12)
        end.send(version)
        return [version.decode(), list(end.recv(end.recv(1)[0]))]


def passed(index):
    ours, theirs = socket.socketpair()
    with theirs:
        d.openGraphics(index, theirs.fileno(), 0)
    return greeting(ours.detach())


ports = "<controller type='pci' index='0' model='pcie-root'/>" + "".join(
    f"<controller type='pci' index='{index}' model='pcie-root-port'/>" for index in range(1, 6)
)
# It listens nowhere: ports would be the other daemon's too.
screen = "<graphics type='vnc' passwd='secret'><listen type='none'/></graphics>"
raw = image("raw")
base = image("base", "-f", "qcow2")
top = image("top", "-f", "qcow2", "-b", base, "-F", "qcow2")
d = conn.defineXML(xml("lent", ports + screen + disk("vda", "one") + disk("vdb", "two", "qcow2", top)))

attempt("console of a guest that does not run", lambda: d.openGraphicsFD(0, 0))
attempt("start without descriptors", lambda: d.create())
attempt("flags nobody knows", lambda: d.FDAssociate("one", [0], 4))
one = os.open(raw, os.O_RDWR)
both = [os.open(top, os.O_RDONLY), os.open(top, os.O_RDWR)]
attempt("one descriptor", lambda: d.FDAssociate("one", [one], 0))
attempt("start without the second", lambda: d.create())
attempt("two descriptors", lambda: d.FDAssociate("two", both, libvirt.VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_WRITABLE))
attempt("sizes while it does not run", lambda: d.blockInfo("vda", 0))
attempt("start", lambda: d.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED))


def sources():
    found = tree.fromstring(d.XMLDesc(0)).findall("devices/disk")
    return [re.sub(r' index="\d+"', "", tree.tostring(one, encoding="unicode")).replace(folder, "FOLDER") for one in found]


def sets():
    answer = json.loads(libvirt_qemu.qemuMonitorCommand(d, '{"execute":"query-fdsets"}', 0))
    # The log of the console has a set of its own here.
    # Images are numbered in an order of each daemon's own where chains are found out.
    return sorted(re.sub(r"^libvirt-\d+", "libvirt", one["opaque"]) for known in answer["return"] for one in known["fds"] if one["opaque"].startswith("libvirt"))


attempt("disks", sources)
attempt("sets of descriptors", sets)
attempt("sizes", lambda: d.blockInfo("vda", 0))
attempt("a look into it", lambda: d.blockPeek("vda", 0, 10, 0))
attempt("statistics", lambda: len(d.blockStats("vda")))
attempt("group that is not there", lambda: d.attachDevice(disk("vdc", "three")))
attempt("console", lambda: greeting(d.openGraphicsFD(0, 0)))
attempt("console without authentication", lambda: greeting(d.openGraphicsFD(0, libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)))
attempt("console over a socket that was passed", lambda: passed(0))
attempt("console that is not there", lambda: passed(1))
attempt("console that is not there, by descriptor", lambda: d.openGraphicsFD(1, 0))
attempt("flags of a console", lambda: d.openGraphicsFD(0, 2))
attempt("a file as a socket", lambda: d.openGraphics(0, one, 0))
def monitored(command, files, flags=0):
    answer, received = libvirt_qemu.qemuMonitorCommandWithFiles(d, command, files, flags)
    return [json.loads(answer).get("return", "refused") if not flags else answer.strip(), len(received)]


GETFD = '{"execute":"getfd","arguments":{"fdname":"lent"}}'
attempt("monitor command with a descriptor", lambda: monitored(GETFD, [one]))
attempt("human command with a descriptor", lambda: monitored("getfd lent", [one], 1))
attempt("monitor command that misses its descriptor", lambda: monitored(GETFD, []))
attempt("monitor command with two", lambda: monitored(GETFD, [one, one]))
attempt("copy to a descriptor", lambda: d.blockCopy("vda", f"<disk type='file'><driver type='raw'/><source file='{NOWHERE}' fdgroup='one'/></disk>", None, 8))
d.destroy()
attempt("monitor of a guest that does not run", lambda: monitored(GETFD, [one]))
attempt("start with files", lambda: d.createWithFiles([one], 0))
attempt("create with files", lambda: conn.createXMLWithFiles(xml("filed"), [one], 0))
d.undefine()
shutil.rmtree(folder)
print(json.dumps({"outcomes": outcomes, "events": []}))
