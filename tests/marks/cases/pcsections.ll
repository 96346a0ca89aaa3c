; SPDX-License-Identifier: MIT
; A user's own !pcsections stay, before ours; facts of an earlier compilation are replaced.
target triple = "x86_64-pc-linux-gnu"

define i32 @own(i32 %x) !pcsections !0 {
  ret i32 %x
}

define i32 @again(i32 %x) !pcsections !2 {
  ret i32 %x
}

!0 = !{!"user_section", !1, !"other_section!C"}
!1 = !{i32 42}
!2 = !{!"first", !1, !"dynopt.facts", !3, !"last", !1}
!3 = !{i32 9, i32 9, i32 9, i32 9, i32 9, i32 9}
