# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# suites.sh - the parts of programs.def that need more than a line: sqlite's
# fixed list of tests and its shared driver, tcc's and mawk's own examples.
# Sourced by run.sh after words.sh.

# The files of sqlite's own suite that take about a second or less each and do not
# depend on the user who runs them (as root, file modes forbid nothing): parser,
# planner, B-tree, journals, joins, triggers, windows, full text, r-tree, JSON.
sqlite_tests="
	select1 select2 select3 select4 select5 select6 select7 select8 insert insert2
	insert3 update update2 delete2 delete3 join join2 join3 join4 join5 join6 where
	where2 where3 where4 where7 where9 index index2 index3 in in2 in3 in4 between like
	collate1 collate2 collate3 collate4 collate5 types types2 types3 cast expr func
	func2 func3 date printf trigger1 trigger2 trigger3 trigger4 triggerA triggerB
	triggerC view with1 with2 with3 window1 window2 window3 window4 upsert1 upsert2
	returning1 aggnested distinct orderby1 orderby2 subquery subquery2 coalesce alter
	alter2 alter3 altertab altercol attach2 autoinc blob btree01 check conflict
	conflict2 conflict3 fkey1 fkey2 fkey3 fts3aa fts3ab fts3ac fts4aa json101 json102
	savepoint savepoint2 savepoint5 trans3 vacuum vacuum2 wal walro journal1 jrnlmode
	malloc5 analyze analyze3 analyze9 bestindex1 bestindex2 minmax minmax2 minmax3 null
	numcast rowid schema schema2 sort table tableapi tempdb unique utf16align vtab1
	vtab2 capi2 capi3 capi3c enc enc2 enc3 expr2 fuzz2 hook incrblob incrvacuum
	incrvacuum2 indexedby interrupt intpkey limit lock lock2 main misc1 misc2 misc3
	misc4 misc5 notnull pragma pragma2 quote randexpr1 reindex rollback shared shared2
	softheap1 sqllimits1 subselect tokenize tkt1443 without_rowid1 without_rowid3
	zeroblob backup corrupt2 bigrow cse ctime fts3aa fts3ab fts3ac fts3ad fts3near
	fts4aa fts4content fts4unicode fts3expr fts3snippet fts3corrupt fts3d rtree1 rtree5
	rtree9 session1 session2 fts5ab fts5simple"

# With --full also the longer ones, injected allocation failures and crashes among them.
sqlite_tests_full="trans trans2 vacuum3 malloc sort2 corrupt crash fts3snippet fts4merge
	rtree2 rtree3 wal5 fts5aa"

tcl_config()
{
	for folder in /usr/lib/tcl8.6 /usr/lib/*/tcl8.6 /usr/lib /usr/lib64; do
		if [ -e "$folder/tclConfig.sh" ]; then
			echo "$folder"
			return 0
		fi
	done
	echo "SKIP: sqlite: tclConfig.sh was not found (package tcl-dev)" >&2
	return 77
}

# What remains of the program is the C library's start code.
sqlite_fixture_shared()
{
	[ ! -e testfixture-shared ] || return 0
	mv testfixture testfixture-static
	quiet make LTLINK='$(TCC) -shared -fPIC -Wl,-soname,testfixture.so' testfixture
	mv testfixture testfixture.so
	mv testfixture-static testfixture
	: >empty.c
	# shellcheck disable=SC2086 # lists of options
	$CC $CFLAGS $LDFLAGS -o testfixture-shared empty.c ./testfixture.so '-Wl,-rpath,$ORIGIN'
}

# The whole list on the static build; every third test on the shared one, where the
# library's code is the same but for how it reaches its data; every twelfth under dynopt, where
# each process is translated anew. --full: all on both.
sqlite_suite() # static|shared
{
	list=$sqlite_tests
	if [ "$full" = 1 ]; then
		list="$list $sqlite_tests_full"
	elif [ "$1" = shared ] || [ "$eager" = 1 ]; then
		list=$(echo "$list" | tr -s '\t\n' '  ' |
			awk -v step=$((3 + 9 * eager)) '{ for (i = 1; i <= NF; i += step) print $i }')
	fi
	fixture=testfixture
	[ "$1" = static ] || fixture=testfixture-shared
	cases=0
	mkdir -p suite
	for name in $list; do
		file=
		for place in "$src/test" "$src"/ext/* "$src"/ext/*/test; do
			[ ! -e "$place/$name.test" ] || file=$place/$name.test
		done
		[ -n "$file" ] || {
			echo "FAILED: sqlite has no test named $name"
			return 1
		}
		(cd suite && "../$fixture" "$file" >suite.log 2>&1 </dev/null) || {
			echo "FAILED: sqlite's $name"
			grep -B 2 -A 4 -E '^! |Error|errors out of' suite/suite.log | head -n 40
			return 1
		}
		count=$(sed -n 's/^0 errors out of \([0-9]*\) tests.*/\1/p' suite/suite.log | head -n 1)
		[ -n "$count" ] || {
			echo "FAILED: sqlite's $name ended without its summary"
			tail -n 5 suite/suite.log
			return 1
		}
		cases=$((cases + count))
	done
	echo "sqlite, $1: $cases cases passed"
}

# tcc's own examples, run in memory; then its sources, compiled to objects that
# must be the same bytes. Left out: examples for other machines, and those whose
# output holds addresses or needs more than one file.
tcc_suite()
{
	for file in "$src"/tests/tests2/[0-9]*.c; do
		case ${file##*/} in
		42_* | 60_* | 73_* | 96_* | 98_* | 99_* | 10[4-8]* | 11[2-7]_*) continue ;;
		esac
		equal ./tcc -B. -I"$src/include" -run "$file" one two
	done
	for file in "$src/tcc.c" "$src/libtcc.c" "$src/tests/tcctest.c"; do
		equal ./tcc -B. -I. -I"$src" -I"$src/include" -DONE_SOURCE=1 -DTCC_TARGET_X86_64 -w -c "$file" -o out.o
		cmp out.o "$plain/out.o"
	done
}

# mawk's own test programs over its own test data, and our script.
mawk_suite()
{
	for script in test/*.awk examples/primes.awk examples/qsort.awk "$here"/scripts/*.awk; do
		equal ./mawk -f "$script" test/mawktest.dat
	done
	equal ./mawk '{ n[$1] += NF; l += length } END { for (w in n) c++; print c, l }' test/full-awk.dat
}

# sqlite in one file, made once and kept beside the sources.
amalgamation()
{
	amalgamation=$DYNOPT_SOURCES/sqlite3-amalgamation
	(
		flock 8
		[ ! -e "$amalgamation/complete" ] || exit 0
		rm -rf "$amalgamation"
		mkdir -p "$amalgamation"
		cd "$amalgamation" || exit 1
		quiet "$src/configure" CC="$DYNOPT_PLAIN_CC" CFLAGS=-O1 --disable-debug --disable-tcl
		quiet make sqlite3.c
		: >complete
	) 8>"$DYNOPT_SOURCES/sqlite3-amalgamation.lock"
}
