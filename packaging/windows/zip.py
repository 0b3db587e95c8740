#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""zip.py PARENT NAME FILE: packs PARENT/NAME so that the same content gives the same bytes: sorted names, the time
stamp SOURCE_DATE_EPOCH, fixed modes."""
import os
import sys
import time
import zipfile

parent, name, target = sys.argv[1:]
# A zip knows no time before 1980, and only even seconds.
stamp = max(int(os.environ["SOURCE_DATE_EPOCH"]), 315532800)
date = time.gmtime(stamp)[:6]
files = []
for folder, _, names in os.walk(os.path.join(parent, name)):
    files += [os.path.relpath(os.path.join(folder, file), parent) for file in names]
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for file in sorted(file.replace(os.sep, "/") for file in files):
        entry = zipfile.ZipInfo(file, date)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.create_system = 0
        entry.external_attr = 0
        with open(os.path.join(parent, file), "rb") as content:
            archive.writestr(entry, content.read())
