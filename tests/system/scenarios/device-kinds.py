# One document of every kind of device, attached, changed and detached in each way: live, stored, both, by alias, again.
import os
import tempfile
import xml.etree.ElementTree as tree

folder = tempfile.mkdtemp(dir="/tmp")
os.chmod(folder, 0o777)
os.mkdir(os.path.join(folder, "files"))
image = os.path.join(folder, "image")
with open(image, "wb") as file:
    file.truncate(1 << 20)
os.chmod(image, 0o666)
LIVE, CONFIG = 1, 2
BOTH = LIVE | CONFIG

KINDS = {
    "disk on virtio": f"<disk type='file'><driver name='qemu' type='raw'/><source file='{image}'/><target dev='vda' bus='virtio'/></disk>",
    "disk on usb": f"<disk type='file'><driver name='qemu' type='raw'/><source file='{image}'/><target dev='sda' bus='usb'/></disk>",
    "disk on scsi": f"<disk type='file'><driver name='qemu' type='raw'/><source file='{image}'/><target dev='sdb' bus='scsi'/></disk>",
    "disk on sata": f"<disk type='file'><driver name='qemu' type='raw'/><source file='{image}'/><target dev='sdc' bus='sata'/></disk>",
    "disk that is served": "<disk type='vhostuser' device='disk'><driver name='qemu' type='raw'/><source type='unix' path='/none'/><target dev='vdb' bus='virtio'/></disk>",
    "filesystem over 9p": f"<filesystem type='mount'><source dir='{folder}/files'/><target dir='more'/></filesystem>",
    "interface": "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>",
    "interface of another socket": "<interface type='vhostuser'><mac address='52:54:00:00:00:02'/><source type='unix' path='/none' mode='client'/><model type='virtio'/></interface>",
    "scsi controller": "<controller type='scsi' index='3' model='virtio-scsi'/>",
    "virtio-serial controller": "<controller type='virtio-serial' index='2'/>",
    "usb controller": "<controller type='usb' index='3' model='qemu-xhci'/>",
    "pci controller": "<controller type='pci' index='40' model='pcie-root-port'/>",
    "sata controller": "<controller type='sata' index='2'/>",
    "rng": "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
    "tablet": "<input type='tablet' bus='usb'/>",
    "keyboard on virtio": "<input type='keyboard' bus='virtio'/>",
    "keyboard on ps2": "<input type='keyboard' bus='ps2'/>",
    "channel": "<channel type='unix'><source mode='bind'/><target type='virtio' name='org.example.0'/></channel>",
    "usb serial port": "<serial type='null'><target type='usb-serial' port='3'><model name='usb-serial'/></target></serial>",
    "serial port": "<serial type='null'><target type='isa-serial' port='2'/></serial>",
    "parallel port": "<parallel type='null'><target port='0'/></parallel>",
    "console": "<console type='null'><target type='virtio' port='1'/></console>",
    "shared memory": "<shmem name='vk-none'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>",
    "watchdog": "<watchdog model='i6300esb' action='none'/>",
    "sockets": "<vsock model='virtio'><cid auto='no' address='77'/></vsock>",
    "memory": "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>",
    "more memory than there may be": "<memory model='dimm'><target><size unit='MiB'>960</size><node>0</node></target></memory>",
    "sound": "<sound model='ich9'/>",
    "video": "<video><model type='virtio'/></video>",
    "graphics": "<graphics type='vnc' port='-1' listen='127.0.0.1'/>",
    "hub": "<hub type='usb'/>",
    "smart card": "<smartcard mode='host'/>",
    "tpm": "<tpm model='tpm-crb'><backend type='emulator'/></tpm>",
    "panic": "<panic model='isa'/>",
    "balloon": "<memballoon model='virtio'/>",
    "iommu": "<iommu model='intel'/>",
    "audio": "<audio id='9' type='none'/>",
    "nvram": "<nvram><address type='spapr-vio' reg='0x3000'/></nvram>",
    "redirected device": "<redirdev bus='usb' type='tcp'><source mode='connect' host='127.0.0.1' service='1'/></redirdev>",
}

ports = "<controller type='pci' index='0' model='pcie-root'/>" + "".join(
    f"<controller type='pci' index='{index}' model='pcie-root-port'/>" for index in range(1, 16)
)
buses = "<controller type='usb' model='qemu-xhci' ports='15'/><controller type='scsi' model='virtio-scsi'/><controller type='virtio-serial' index='0'/>"


def machine(name):
    text = xml(name, ports + buses + "<memballoon model='none'/>")
    more = "<maxMemory slots='4' unit='MiB'>1024</maxMemory><memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
    cpu = "<cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>"
    return text.replace("<vcpu>", more + "<vcpu>").replace("</features>", "</features>" + cpu)


def count(domain, tag, flags=0):
    return len(tree.fromstring(domain.XMLDesc(flags)).findall(f"devices/{tag}"))


def alias(domain, tag):
    """The id of the device that came last."""
    last = tree.fromstring(domain.XMLDesc()).findall(f"devices/{tag}")[-1]
    return last.find("alias").get("name")


def both(domain, tag):
    return [count(domain, tag), count(domain, tag, 2)]


def gone(domain, tag, wanted):
    """Whether the guest has let go: firmware does when it is reset."""
    end = time.monotonic() + 60
    while count(domain, tag) != wanted and time.monotonic() < end:
        domain.reset()
        pump(0.05)
    return count(domain, tag) == wanted


def play(domain, kind, document):
    tag = tree.fromstring(document).tag
    before = count(domain, tag)
    step = lambda name, call: (attempt(f"{kind}: {name}", call), attempt(f"{kind}: {name}: now", lambda: both(domain, tag)))
    step("changed though not there", lambda: domain.updateDeviceFlags(document, LIVE))
    step("detached though not there", lambda: domain.detachDeviceFlags(document, LIVE))
    step("live", lambda: domain.attachDeviceFlags(document, LIVE))
    step("live again", lambda: domain.attachDeviceFlags(document, LIVE))
    step("changed", lambda: domain.updateDeviceFlags(document, LIVE))
    step("stored", lambda: domain.attachDeviceFlags(document, CONFIG))
    step("stored again", lambda: domain.attachDeviceFlags(document, CONFIG))
    step("both", lambda: domain.attachDeviceFlags(document, BOTH))
    step("stored changed", lambda: domain.updateDeviceFlags(document, CONFIG))
    step("stored out", lambda: domain.detachDeviceFlags(document, CONFIG))
    step("stored out again", lambda: domain.detachDeviceFlags(document, CONFIG))
    # Only an operating system gives memory back.
    while tag != "memory" and count(domain, tag) > before:
        now = count(domain, tag)
        attempt(f"{kind}: by alias", lambda: domain.detachDeviceAlias(alias(domain, tag), LIVE))
        attempt(f"{kind}: gone", lambda: gone(domain, tag, now - 1))
        if count(domain, tag) == now:
            break


d = conn.defineXML(machine("kinds"))
d.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
for kind, document in KINDS.items():
    play(d, kind, document)
d.destroy()
for kind, document in KINDS.items():
    attempt(f"{kind}: off", lambda: d.attachDevice(document))
    attempt(f"{kind}: off, live", lambda: d.attachDeviceFlags(document, LIVE))
d.undefine()
t = conn.createXML(machine("passing"), libvirt.VIR_DOMAIN_START_PAUSED)
for kind in ("rng", "tablet", "disk on usb"):
    document = KINDS[kind]
    for name, flags in (("stored", CONFIG), ("both", BOTH), ("whatever there is", 0)):
        attempt(f"{kind}: transient, {name}", lambda: t.attachDeviceFlags(document, flags))
    attempt(f"{kind}: transient, stored out", lambda: t.detachDeviceFlags(document, CONFIG))
attempt("transient: no such alias", lambda: t.detachDeviceAlias("input9", LIVE))
attempt("transient: stored by alias", lambda: t.detachDeviceAlias("rng0", CONFIG))
t.destroy()
__import__("shutil").rmtree(folder)
attempt("nothing left", lambda: conn.numOfDomains())
pump(0.5)
print(json.dumps({"outcomes": outcomes, "events": heard}))
