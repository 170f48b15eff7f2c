# $0: the binary; $1: `run` or `resume`; $2: the folder on the bad disk; $3: its size, or `ro`.
set -e
go_on="resume latest -d state/audit.db -x"
begin="run -s every.yaml -x"
mkdir -p "$2"
if [ "$3" = ro ]; then
  mount --bind "$2" "$2"
  mount -o remount,bind,ro "$2"
else
  mount -t tmpfs -o "size=$3" tmpfs "$2"
fi
if [ "$1" = run ]; then first=$begin; else first=$go_on; fi
code=0; "$0" $first >log/first.out 2>log/first.err || code=$?
echo $code >log/first.code
if [ "$3" = ro ]; then mount -o remount,bind,rw "$2"; else mount -o remount,size=64m "$2"; fi
"$0" runs -d state/audit.db --json 2>&1 | sed -n 's/.*\[{[^}]*"status":"\([a-z]*\)".*/\1/p' >log/status || true
if [ -s log/status ]; then second=$go_on; else second=$begin; fi
if [ $code -ne 0 ]; then
  code=0; "$0" $second >log/second.out 2>log/second.err || code=$?
else
  : >log/second.out; : >log/second.err
fi
echo $code >log/second.code
if [ "$3" != ro ]; then mkdir log/kept && cp -a "$2"/. log/kept/; fi
