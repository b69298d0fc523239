"""XMP packets: that a trained algorithm made the picture, with which program, and the recipe.

ISO 16684-1 for the packet; the digital source type is IPTC's term for a picture that a model made
out of another picture (http://cv.iptc.org/newscodes/digitalsourcetype/), the machine-readable mark
that the EU's AI Act, Article 50, asks for.
"""

from __future__ import annotations

from html import escape

from img2imgd import __version__

PROGRAM = f"img2imgd {__version__}"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
NAMESPACE = "urn:img2imgd:1.0:"

_PACKET = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about=""
 xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:img2imgd="{namespace}">
<xmp:CreatorTool>{program}</xmp:CreatorTool>
<Iptc4xmpExt:DigitalSourceType>{source_type}</Iptc4xmpExt:DigitalSourceType>{recipe}
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


def xmp_packet(recipe: str = "") -> str:
    """The packet; ``recipe`` is JSON, left out where it is empty."""
    own = f"\n<img2imgd:recipe>{escape(recipe, quote=False)}</img2imgd:recipe>" if recipe else ""
    return _PACKET.format(namespace=NAMESPACE, program=PROGRAM, source_type=SOURCE_TYPE, recipe=own)
