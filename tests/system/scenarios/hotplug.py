# Devices that come, go and change while a guest runs that has no operating system.
import os
import re
import tempfile
import xml.etree.ElementTree as tree

folder = tempfile.mkdtemp(dir="/tmp")
os.chmod(folder, 0o777)


def image(name):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.truncate(1 << 20)
    os.chmod(path, 0o666)
    return path


def disk(name, dev, bus, device="disk", more=""):
    source = f"<source file='{name}'/>" if name else ""
    return f"<disk type='file' device='{device}'><driver name='qemu' type='raw'/>{source}<target dev='{dev}' bus='{bus}'/>{more}</disk>"


ports = "<controller type='pci' index='0' model='pcie-root'/>" + "".join(
    f"<controller type='pci' index='{index}' model='pcie-root-port'/>" for index in range(1, 7)
)
more = f"{ports}<controller type='usb' model='qemu-xhci' ports='8'/><controller type='scsi' model='virtio-scsi'/><memballoon model='none'/>"
a, b, c = image("a"), image("b"), image("c")
d = conn.defineXML(xml("plug", more + disk(b, "sdz", "sata", "cdrom")))
d.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
LIVE, CONFIG, FORCE = 1, 2, 4


def devices(flags=0):
    """What of the devices both must have alike."""
    found = tree.fromstring(d.XMLDesc(flags)).find("devices")
    wanted = [one for one in found if one.tag in ("disk", "rng", "interface", "input", "channel", "hostdev")]
    # Numbers of images are each daemon's own.
    texts = [tree.tostring(one, encoding="unicode").replace(folder, "FOLDER") for one in wanted]
    return [re.sub(r"\s+", " ", re.sub(r"<source />", "", re.sub(r' index="\d+"', "", text))) for text in texts]


def step(name, call):
    attempt(name, call)
    attempt(name + ": live", devices)
    attempt(name + ": stored", lambda: devices(2))


step("usb disk", lambda: d.attachDeviceFlags(disk(a, "sda", "usb"), LIVE))
step("usb disk again", lambda: d.attachDeviceFlags(disk(a, "sda", "usb"), LIVE))
step("usb disk gone", lambda: d.detachDeviceFlags(disk(a, "sda", "usb"), LIVE))
step("usb disk gone again", lambda: d.detachDeviceFlags(disk(a, "sda", "usb"), LIVE))
step("scsi disk in both", lambda: d.attachDeviceFlags(disk(a, "sdb", "scsi"), LIVE | CONFIG))
step("scsi disk in both again", lambda: d.attachDeviceFlags(disk(a, "sdb", "scsi"), LIVE | CONFIG))
step("scsi disk out of both", lambda: d.detachDeviceFlags(disk(a, "sdb", "scsi"), LIVE | CONFIG))
step("virtio disk", lambda: d.attachDevice(disk(a, "vda", "virtio")))
step("missing image", lambda: d.attachDevice(disk(os.path.join(folder, "none"), "vdb", "virtio")))
step("floppy", lambda: d.attachDevice(disk(c, "fda", "fdc", "floppy")))
step("sata cdrom out", lambda: d.detachDevice(disk(b, "sdz", "sata", "cdrom")))
step("medium", lambda: d.updateDeviceFlags(disk(c, "sdz", "sata", "cdrom"), LIVE))
step("no medium", lambda: d.updateDeviceFlags(disk(None, "sdz", "sata", "cdrom"), LIVE | FORCE))
step("medium again", lambda: d.updateDeviceFlags(disk(b, "sdz", "sata", "cdrom"), LIVE | CONFIG))
step("other image of a disk", lambda: d.updateDeviceFlags(disk(c, "vda", "virtio"), LIVE))
step("disk that is not there", lambda: d.updateDeviceFlags(disk(c, "vdx", "virtio"), LIVE))
step("stored disk that is not there", lambda: d.updateDeviceFlags(disk(c, "vdx", "virtio"), CONFIG))
step("rng", lambda: d.attachDevice("<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"))
step("tablet", lambda: d.attachDevice("<input type='tablet' bus='usb'/>"))
step("tablet out", lambda: d.detachDevice("<input type='tablet' bus='usb'/>"))
step("mouse", lambda: d.attachDevice("<input type='mouse' bus='ps2'/>"))
card = "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/>%s</interface>"
step("interface", lambda: d.attachDevice(card % ""))
step("link down", lambda: d.updateDeviceFlags(card % "<link state='down'/>", LIVE))
step("interface's model", lambda: d.updateDeviceFlags((card % "").replace("virtio", "e1000"), LIVE))
step("balloon", lambda: d.attachDevice("<memballoon model='virtio'/>"))
step("tpm", lambda: d.attachDevice("<tpm model='tpm-crb'><backend type='emulator'/></tpm>"))
step("toaster", lambda: d.attachDevice("<toaster/>"))
step("sata controller", lambda: d.attachDevice("<controller type='sata' index='3'/>"))
hostdev = "<hostdev mode='subsystem' type='%s' %s><source %s>%s</source></hostdev>"
pci = hostdev % ("pci", "managed='yes'", "", "<address domain='0' bus='0xee' slot='1' function='0'/>")
usb = "<vendor id='0xdead'/><product id='0xbeef'/>"
step("PCI device of the host", lambda: d.attachDeviceFlags(pci, LIVE))
step("PCI device in both", lambda: d.attachDeviceFlags(pci, LIVE | CONFIG))
step("PCI device stored", lambda: d.attachDeviceFlags(pci, CONFIG))
step("PCI device stored again", lambda: d.attachDeviceFlags(pci, CONFIG))
step("PCI device out", lambda: d.detachDeviceFlags(pci, LIVE))
step("PCI device stored out", lambda: d.detachDeviceFlags(pci, CONFIG))
step("PCI device stored out again", lambda: d.detachDeviceFlags(pci, CONFIG))
step("USB device of the host", lambda: d.attachDeviceFlags(hostdev % ("usb", "", "", usb), LIVE))
step("USB device that may be missing", lambda: d.attachDeviceFlags(hostdev % ("usb", "", "startupPolicy='optional'", usb), LIVE))
step("USB device again", lambda: d.attachDeviceFlags(hostdev % ("usb", "", "startupPolicy='optional'", usb), LIVE))
step("USB device out", lambda: d.detachDeviceFlags(hostdev % ("usb", "", "", usb), LIVE))
step("USB device out again", lambda: d.detachDeviceFlags(hostdev % ("usb", "", "", usb), LIVE))
step("USB device by place", lambda: d.attachDeviceFlags(hostdev % ("usb", "", "", "<address bus='99' device='9'/>"), LIVE))
unit = "<adapter name='scsi_host99'/><address bus='0' target='0' unit='0'/>"
step("SCSI unit of the host", lambda: d.attachDeviceFlags(hostdev % ("scsi", "", "", unit), LIVE))
step("SCSI unit out", lambda: d.detachDeviceFlags(hostdev % ("scsi", "", "", unit), LIVE))
mdev = "<address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/>"
step("mediated device", lambda: d.attachDeviceFlags(hostdev % ("mdev", "model='vfio-pci'", "", mdev), LIVE))
step("mediated device out", lambda: d.detachDeviceFlags(hostdev % ("mdev", "model='vfio-pci'", "", mdev), LIVE))
step("no such alias", lambda: d.detachDeviceAlias("net7", LIVE))
step("no such guest", lambda: d.attachDeviceFlags(disk(c, "vdc", "virtio"), 64))
d.destroy()
step("off", lambda: d.attachDevice(disk(c, "vdc", "virtio")))
step("off, live", lambda: d.attachDeviceFlags(disk(c, "vdc", "virtio"), LIVE))
step("off, stored", lambda: d.attachDeviceFlags(disk(c, "vdc", "virtio"), CONFIG))
step("off, stored, out", lambda: d.detachDeviceFlags(disk(c, "vdc", "virtio"), CONFIG))
d.undefine()
__import__("shutil").rmtree(folder)
attempt("nothing left", lambda: conn.numOfDomains())
pump(0.5)
print(json.dumps({"outcomes": outcomes, "events": heard}))
