"""V1 to V13 with their sentences, and the rules that keep them."""

from netfax.monitor.verify.accepted import ACCEPTED, GOES_ON
from netfax.monitor.verify.calls import CHANNELS, PLACED_ONCE
from netfax.monitor.verify.files import STORED
from netfax.monitor.verify.received import CONFIRMED, PARTIALS
from netfax.monitor.verify.rules import Promise, Words
from netfax.monitor.verify.tenants import ONE_TENANT

PROMISES = (
    Promise("V1", Words("Accepted means on disk and committed.", "已受理即已存盘并提交。"), ACCEPTED),
    # What awaits approval is not looked at: nothing sets that state yet.
    Promise(
        "V2",
        Words(
            "Every accepted fax has ended, has a due time, or names who must act.",
            "每份已受理的传真要么已结束，要么有发送时间，要么写明由谁处理。",
        ),
        GOES_ON,
    ),
    Promise(
        "V3",
        Words(
            "Every page that a receiving call confirmed is on disk, or an alarm names it.",
            "接收时确认的每一页都已存盘，否则有告警指明。",
        ),
        CONFIRMED,
    ),
    Promise(
        "V4",
        Words(
            "A call that failed after some pages is kept as a partial fax.", "收发若干页后失败的通话保留为部分传真。"
        ),
        PARTIALS,
    ),
    Promise(
        "V5",
        Words("No call is placed twice, and its row is committed before.", "每个呼叫只发起一次，且记录先行提交。"),
        PLACED_ONCE,
    ),
    Promise(
        "V6",
        Words("No call stays open when its channel is gone.", "通道消失后，呼叫不会一直处于未结束状态。"),
        CHANNELS,
    ),
    Promise("V7", Words("One charge for each call and kind.", "每次呼叫的每种费用只计一次。")),
    Promise(
        "V8",
        Words(
            "Every journal entry sums to 0, the balance is the sum of entries, and no account is below its limit.",
            "每笔分录合计为零，余额等于分录之和，帐户不低于限额。",
        ),
    ),
    Promise("V9", Words("A hold ends once.", "每笔冻结只结束一次。")),
    Promise(
        "V10",
        Words("One fax for each mail and recipient.", "每封邮件对每个收件人只发一份传真。"),
    ),
    Promise(
        "V11",
        Words(
            "Every row's file exists with its SHA-256; no file older than an hour lacks a row.",
            "每条记录的文件都在且 SHA-256 相符；超过一小时的文件都有记录。",
        ),
        STORED,
    ),
    Promise(
        "V12",
        Words("Nothing of one tenant is reachable from another.", "任何单位的内容都不能从其他单位访问。"),
        ONE_TENANT,
    ),
    Promise("V13", Words("The audit chain is unbroken.", "审计链完整无缺。")),
)
