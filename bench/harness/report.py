# SPDX-License-Identifier: MIT
"""placeholder"""
def write(path, document):
    path.write_text("")
